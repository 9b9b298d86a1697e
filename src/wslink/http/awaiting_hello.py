"""Connections before hello: the oldest makes room if there are too many (LIM-11)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from wslink.session.session import Session
from wslink.session.state import NEW

logger: logging.Logger = logging.getLogger("wslink.http")


ConnectionT = TypeVar("ConnectionT")


class AwaitingHello(Generic[ConnectionT]):
    """Sessions before hello, oldest first.

    Args:
        drop: ends a connection at once.
    """

    def __init__(self, drop: Callable[[ConnectionT], object]) -> None:
        self._drop = drop
        # Those that said hello meanwhile are among them.
        self._waiting: deque[tuple[Session, ConnectionT]] = deque()

    def add(self, session: Session, connection: ConnectionT) -> None:
        """A client has connected."""
        self.forget()
        self._waiting.append((session, connection))

    def forget(self) -> None:
        """Remove those that have said hello, or have gone."""
        while self._waiting and self._waiting[0][0].state is not NEW:
            self._waiting.popleft()

    def drop_oldest(self) -> bool:
        """End the connection that has waited longest. Returns whether there was one (LIM-11)."""
        self.forget()
        if not self._waiting:
            return False
        session, connection = self._waiting.popleft()
        logger.info("client %s: it has not said hello, and makes room for another", session.client_id)
        self._drop(connection)
        return True
