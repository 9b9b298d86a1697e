"""Calls with options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from wslink.errors import UsageError
from wslink.wire.value import Value

Perform = Callable[[str, Sequence[Value], dict[str, Value]], Awaitable[Value]]


class Calling:
    """What `Link.with_options` returns: calls methods with these options, as often as it is wanted."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    async def call(self, method: str, /, *args: Value, **kwargs: Value) -> Value:
        """See Link.call."""
        return await self._perform(method, args, kwargs)


def refuse_others(**callbacks: object) -> None:
    """Raise UsageError, with its name, for a callback that cannot be called."""
    for name, callback in callbacks.items():
        if callback is not None and not callable(callback):
            raise UsageError(f"{name} must be a function, not {callback!r:.100}")
