"""Clients that have connected and not said hello: they may not keep others out."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from wslink.session.session import Session
from wslink.session.state import State

logger: logging.Logger = logging.getLogger("wslink.http")


class Strangers:
    """Sessions before hello, the oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Session, Callable[[], object]]] = (
            deque()
        )  # those that said hello meanwhile among them

    def add(self, session: Session, drop: Callable[[], object]) -> None:
        """A client has connected; `drop` ends its connection at once."""
        self.forget()
        self._waiting.append((session, drop))

    def forget(self) -> None:
        """Let go of those that have said hello, or have gone."""
        while self._waiting and self._waiting[0][0].state is not State.NEW:
            self._waiting.popleft()

    def drop_oldest(self) -> bool:
        """End the connection that has waited for longest; whether there was one (LIM-11)."""
        self.forget()
        if not self._waiting:
            return False
        session, drop = self._waiting.popleft()
        logger.info("client %s: it has not said hello, and makes room for another", session.client_id)
        drop()
        return True
