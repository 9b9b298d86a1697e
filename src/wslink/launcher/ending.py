"""The end of a session: first its processes, then the resources that it held."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from wslink.launcher.configuration import Configuration
from wslink.launcher.logs import Logs
from wslink.launcher.ports import Ports
from wslink.launcher.session import Session, State
from wslink.launcher.specs import secret_file
from wslink.launcher.stores.base import Store

logger: logging.Logger = logging.getLogger("wslink.launcher")


class Ending:
    """Ends sessions that are `STOPPING`, each once.

    Args:
        configuration: the launcher's; it determines where files are, which does not change.
        sessions: the launcher's, by id; those that have ended are removed.
        ports: get their ports back.
        logs: notified.
        store: forgets them.
    """

    def __init__(
        self, configuration: Configuration, sessions: dict[str, Session], ports: Ports, logs: Logs, store: Store
    ) -> None:
        self._configuration = configuration
        self._sessions = sessions
        self._ports = ports
        self._logs = logs
        self._store = store
        self._ends: dict[str, asyncio.Task[None]] = {}

    async def end(self, session: Session) -> None:
        """End a session. Returns when that is done; cancelling the caller does not interrupt it."""
        if session.state is State.STOPPING and session.id not in self._ends:
            self._ends[session.id] = asyncio.create_task(self._end(session))
        if session.id in self._ends:
            await asyncio.shield(self._ends[session.id])

    async def _end(self, session: Session) -> None:
        """Stop the processes, then release what the session held, even if stopping fails."""
        try:
            if session.starting is not None:
                # A half-started session cannot be stopped, nor can a thread that is starting it be cancelled.
                await asyncio.wait([session.starting])
            if session.spawner is not None:
                await session.spawner.stop()
        except Exception:
            logger.exception("session %s could not be stopped", session.label)
        finally:
            session.move(State.ENDED)
            with contextlib.suppress(OSError):
                secret_file(self._configuration, session.id).unlink(missing_ok=True)
            self._logs.ended(session.id)
            self._ports.give_back(session.lease)
            await self._store.delete(session.id)
            self._sessions.pop(session.id, None)
            self._ends.pop(session.id, None)
            logger.info("session %s of %s ended: %s", session.label, session.application, session.reason)
