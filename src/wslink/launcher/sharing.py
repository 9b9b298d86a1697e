"""Following what other launchers do with a shared state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from wslink.launcher.session import Session, State
from wslink.launcher.stores.base import Record, Store

logger: logging.Logger = logging.getLogger("wslink.launcher")

INTERVAL = 1.0
"""Seconds between two looks."""


class Sharing:
    """Checks every second which sessions other launchers have started and ended.

    Args:
        store: the state.
        sessions: this launcher's, by id.
        adopt: takes over a session of a launcher that has ended.
        leave: leaves a session to another launcher that has taken it over.
    """

    def __init__(
        self,
        store: Store,
        sessions: Mapping[str, Session],
        adopt: Callable[[str, Record | None], Awaitable[None]],
        leave: Callable[[Session], None],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._adopt = adopt
        self._leave = leave

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.look()
            except Exception:
                logger.exception("the launchers' common state could not be followed")

    async def look(self) -> None:
        """Write what is late, and follow changes."""
        changes = await self._store.look(self._written())
        for session_id in changes.lost:
            session = self._sessions.get(session_id)
            if session is not None and session.state is not State.STOPPING:
                logger.warning("another launcher has taken over session %s", session.label)
                self._leave(session)
        for session_id in changes.forgotten:
            # The state was lost: write this launcher's sessions again.
            if session_id in self._written():
                await self._store.put(session_id, self._sessions[session_id].record())
        for session_id, record in changes.adopted.items():
            await self._adopt(session_id, record)

    def _written(self) -> list[str]:
        return [one.id for one in self._sessions.values() if one.state is State.READY]
