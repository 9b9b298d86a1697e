"""The events of a link: changes of its state, and reconnections."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Literal, NamedTuple

from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

LinkState = Literal["open", "reconnecting", "closing", "closed"]


class Reconnected(NamedTuple):
    """The outcome of a reconnection.

    Attributes:
        resumed: whether the session was resumed, so that no message was lost or duplicated. Otherwise the server treats
            this as a new client; the link has renewed its subscriptions, and calls that the server may have received
            have failed.
        reason: why it was not resumed: "expired" or "overflow" (the limit on time or bytes was exceeded), "restarted",
            "refused", or "unsupported" by the server.
        away: seconds without a connection.
    """

    resumed: bool
    reason: str | None
    away: float


OnState = Callable[[LinkState], object]
OnReconnected = Callable[[Reconnected], object]
Spawn = Callable[[Coroutine[Value, Value, None]], object]


class Events:
    """The callbacks for a link's events. Their exceptions are logged.

    Args:
        spawn: runs the coroutines that async callbacks return.
    """

    def __init__(self, spawn: Spawn) -> None:
        self.state: list[OnState] = []
        self.reconnected: list[OnReconnected] = []
        self._spawn = spawn

    def changed(self, state: LinkState) -> None:
        for on_state in tuple(self.state):
            self._tell(partial(on_state, state))

    def returned(self, reconnected: Reconnected) -> None:
        for on_reconnected in tuple(self.reconnected):
            self._tell(partial(on_reconnected, reconnected))

    def _tell(self, handler: Callable[[], object]) -> None:
        try:
            result = handler()
        except Exception:
            logger.exception("a callback of a link raised")
        else:
            if inspect.iscoroutine(result):
                self._spawn(self._finish(result))

    async def _finish(self, result: Coroutine[Value, Value, Value]) -> None:
        try:
            await result
        except Exception:
            logger.exception("a callback of a link raised")
