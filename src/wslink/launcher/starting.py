"""Starting a session according to one configuration. A start continues with the same configuration if another one is
loaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from wslink.errors import RequestRefused, StartFailed
from wslink.launcher.configuration import Configuration
from wslink.launcher.ports import Address
from wslink.launcher.readiness import Waits, until_ready
from wslink.launcher.session import Session, State
from wslink.launcher.spawners.base import find_spawners
from wslink.launcher.specs import new_session, new_spec, write_secret
from wslink.launcher.stores.base import Store
from wslink.launcher.variables import accept


class Starter:
    """Creates sessions and starts their processes.

    Args:
        configuration: what to start, and how.

    Raises:
        UsageError: an application names an unknown spawner, or its options are not valid.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._spawners = find_spawners(configuration)

    def accept(self, application: str, posted: Mapping[str, Any]) -> dict[str, str]:
        """The values of a client that are used. Raises RequestRefused."""
        app = self._configuration.apps.get(application)
        if app is None:
            raise RequestRefused("There is no such application.")
        return accept(self._configuration, app, posted)

    def make(
        self, session_id: str, application: str, accepted: Mapping[str, str], client: str, lease: Address
    ) -> Session:
        """Create a session that has not been started."""
        return new_session(self._configuration, session_id, application, accepted, client, lease)

    async def start(self, session: Session, store: Store, waits: Waits) -> None:
        """Start a session's processes, and return when it is ready.

        Args:
            store: keeps what another launcher needs to know about it.
            waits: called with what it waits for.

        Raises:
            StartFailed: it ends before, is not ready in time, or is stopped in the meantime.
        """
        app = self._configuration.apps[session.application]
        spec = new_spec(self._configuration, session)
        try:
            write_secret(self._configuration, session)
        except OSError as error:
            raise StartFailed(f"The session's secret cannot be written: {error.strerror}.") from error
        session.spawner = self._spawners[session.application](spec)
        # Before and after: if the launcher is killed in between, the processes can still be found by the spec's id.
        await store.put(session.id, session.record())
        session.starting = asyncio.create_task(session.spawner.start())
        await asyncio.shield(session.starting)
        await store.put(session.id, session.record())
        await until_ready(session, app.ready_line, spec.log, self._configuration.settings.timeout, waits)
        if not session.move(State.READY):
            raise StartFailed(f"The session was stopped: {session.reason}.")
        session.used = time.monotonic()
        await store.put(session.id, session.record())
