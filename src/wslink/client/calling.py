"""Calls with options."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from wslink.client.handlers import OnProgress
from wslink.client.streaming import WINDOW, Items, check_window
from wslink.client.transfers import OnTransfer
from wslink.errors import UsageError
from wslink.wire.value import Value


class Options(NamedTuple):
    """See Link.with_options. `check` raises UsageError for a callback that cannot be called."""

    on_transfer: OnTransfer | None
    retry: bool
    on_progress: OnProgress | None

    def check(self) -> None:
        for name in ("on_transfer", "on_progress"):
            callback = getattr(self, name)
            if inspect.iscoroutinefunction(callback):
                raise UsageError(f"{name} must be a function, not an async one, which nobody would await")
            if callback is not None and not callable(callback):
                raise UsageError(f"{name} must be a function, not {callback!r:.100}")


class Performer(Protocol):
    """The link that makes the calls."""

    async def perform(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        on_transfer: OnTransfer | None = None,
        retry: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Value: ...

    def items(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        window: int,
        on_progress: OnProgress | None = None,
    ) -> Items: ...


class Calling:
    """The result of `Link.with_options`: calls methods with these options, any number of times."""

    def __init__(self, link: Performer, options: Options) -> None:
        options.check()
        self._link = link
        self._options = options

    async def call(self, method: str, /, *args: Value, **kwargs: Value) -> Value:
        """See Link.call."""
        return await self._link.perform(method, args, kwargs, *self._options)

    def stream(self, method: str, /, *args: Value, window: int = WINDOW, **kwargs: Value) -> Items:
        """See Link.stream. Progress that the method reports may overtake items. Raises UsageError if there are options
        other than `on_progress`: a stream can neither be retried nor observed chunk by chunk."""
        check_window(window)
        if self._options.on_transfer is not None or self._options.retry:
            raise UsageError("of these options, streams have on_progress alone")
        return self._link.items(method, args, kwargs, window, self._options.on_progress)
