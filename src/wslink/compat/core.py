"""The released API's functions: `register` and the schedulers."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from wslink.compat.uri import checkURI

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_tasks: set[asyncio.Future[Any]] = set()


def register(uri: str) -> Callable[[FunctionT], FunctionT]:
    """Decorator: let clients call a method of a LinkProtocol or ServerProtocol as `uri`.

    The function is not changed, except that its attribute `_wslinkuris` lists its names, those of inner decorators
    first.
    """
    checkURI(uri)

    def decorate(function: FunctionT) -> FunctionT:
        assert callable(function), "register decorates functions"
        uris = function.__dict__.setdefault("_wslinkuris", [])
        uris.append({"uri": uri})
        return function

    return decorate


def schedule_callback(delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
    """Call `callback(*args, **kwargs)` in `delay` seconds, when the event loop is running. `cancel()` of the result
    prevents that."""
    return event_loop().call_later(_checked(delay), lambda: callback(*args, **kwargs))


def schedule_coroutine(
    delay: float,
    coro_func: Callable[..., Awaitable[Any]],
    *args: Any,
    done_callback: Callable[[asyncio.Future[Any]], Any] | None = None,
    **kwargs: Any,
) -> asyncio.TimerHandle:
    """Run `coro_func(*args, **kwargs)` as a task in `delay` seconds. `cancel()` of the result prevents that.
    `coro_func` may be any function that returns an awaitable.

    `done_callback` is called with the task when it is done.
    """

    def begin() -> None:
        task = asyncio.ensure_future(coro_func(*args, **kwargs))
        _tasks.add(task)  # the event loop itself holds tasks weakly
        task.add_done_callback(_tasks.discard)
        if done_callback is not None:
            task.add_done_callback(done_callback)

    return event_loop().call_later(_checked(delay), begin)


def _checked(delay: float) -> float:
    """Seconds that an event loop can wait. Raises ValueError for what is no number, which would end some loops."""
    if delay != delay:
        raise ValueError(f"a delay is a number of seconds, not {delay}")
    return delay


def event_loop() -> asyncio.AbstractEventLoop:
    """The running event loop; otherwise this thread's, which is created and set on first use."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Pythons that make a loop here say that they will not
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_event_loop()
            if not loop.is_closed():
                return loop
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
