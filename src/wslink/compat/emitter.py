"""Events of the released API."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

Listener = Callable[..., Any]

_tasks: set[asyncio.Task[Any]] = set()


class EventEmitter:
    """Calls the listeners of named events.

    Args:
        allowed_events: the allowed names, each of which becomes an attribute that emits the event; any name if empty.

    Attributes:
        allowed_events: the names, as a set.
    """

    def __init__(self, allowed_events: Iterable[str] | None = None) -> None:
        self.allowed_events: set[str] = set(allowed_events or ())
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        for name in self.allowed_events:
            setattr(self, name, functools.partial(self.emit, name))

    def __call__(self, event: str, *args: Any, **kwargs: Any) -> None:
        self.emit(event, *args, **kwargs)

    def emit(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Call every listener of `event`. Listeners that are coroutine functions run as tasks.

        Raises:
            ValueError: the event is not allowed, as everywhere here.
            Exception: whatever a listener raises.
        """
        for listener in tuple(self._of(event)):
            outcome = listener(*args, **kwargs)
            if inspect.iscoroutine(outcome):
                task = asyncio.get_running_loop().create_task(cast("Coroutine[Any, Any, Any]", outcome))
                _tasks.add(task)
                task.add_done_callback(_tasks.discard)

    def add_event_listener(self, event: str, listener: Listener) -> None:
        """Call `listener` at each `event`. Adding it again has no effect."""
        self._check(event)
        self._listeners[event].add(listener)

    def remove_event_listener(self, event: str, listener: Listener) -> None:
        """Remove `listener`, if it is known."""
        self._check(event)
        self._listeners[event].discard(listener)

    def has(self, event: str) -> bool:
        """Whether `event` has listeners."""
        listeners = self._listeners.get(event)  # not `_of`: this is on the path of every call
        return bool(self._of(event) if listeners is None else listeners)

    def listeners_count(self, event: str) -> int:
        return len(self._of(event))

    def clear(self) -> None:
        """Remove all listeners."""
        self._listeners.clear()

    def _of(self, event: str) -> set[Listener]:
        self._check(event)
        return self._listeners[event]

    def _check(self, event: str) -> None:
        if self.allowed_events and event not in self.allowed_events:
            raise ValueError(f"unknown event {event!r}; events: {', '.join(sorted(self.allowed_events))}")
