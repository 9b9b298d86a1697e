"""The launcher itself: sessions from start to end. Independent of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from wslink.errors import LaunchError, NoResources, UsageError
from wslink.launcher.configuration import Configuration
from wslink.launcher.ending import Ending
from wslink.launcher.log import tail
from wslink.launcher.logs import Logs
from wslink.launcher.mapping import ProxyFile
from wslink.launcher.pool import Pool
from wslink.launcher.ports import Address, Ports, nobody_listens
from wslink.launcher.readiness import Waits
from wslink.launcher.reloading import outdated
from wslink.launcher.session import Session, State, new_id
from wslink.launcher.sharing import Sharing
from wslink.launcher.spawners import engine
from wslink.launcher.spawners.base import LaunchSpec, find_spawner
from wslink.launcher.specs import log_file
from wslink.launcher.starting import Starter
from wslink.launcher.stores import open_store
from wslink.launcher.stores.base import Record
from wslink.launcher.watching import Watcher

logger: logging.Logger = logging.getLogger("wslink.launcher")


class Launcher:
    """Starts sessions, watches them and ends them. All methods have to be called on one event loop's thread.

    Args:
        configuration: what to start, and how. `reload` replaces it.

    Attributes:
        sessions: those that hold a port, by id, including starting and stopping ones.
        store: the persistent record of sessions.
        on_started: called with each session that became ready or failed to, and the error.
        on_found: awaited with each session that was taken over from another launcher, or an earlier one.

    Raises:
        UsageError: a directory or file of the configuration cannot be written, or an application names an unknown
            spawner.
    """

    def __init__(self, configuration: Configuration) -> None:
        settings = configuration.settings
        self.configuration = configuration
        self.sessions: dict[str, Session] = {}
        self.on_started: list[Callable[[Session, BaseException | None], None]] = []
        self.on_found: list[Callable[[Session], Awaitable[None]]] = []
        self._ports = Ports(configuration.resources, nobody_listens)
        self._proxy_file = ProxyFile(settings.proxy_file)
        self._pool = Pool(configuration.apps, self.sessions, self._start_standby)
        self._watcher = Watcher(configuration, self.sessions, self.stop, self._each_second)
        self._logs = Logs(settings, self.sessions.keys)
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        try:
            Path(settings.log_dir).mkdir(0o700, parents=True, exist_ok=True)  # logs are named by the ids of sessions
        except OSError as error:
            raise UsageError(f"log_dir cannot be made: {error}") from error
        self._starter = Starter(configuration)
        self.store = open_store(settings)
        self._admission = self.store.admission(settings, self.sessions)
        self._ending = Ending(configuration, self.sessions, self._ports, self._logs, self.store)
        self._sharing = Sharing(self.store, self.sessions, self._restore, self._leave)

    # Life of the launcher ---------------------------------------------------

    async def open(self) -> None:
        """Find the sessions of an earlier launcher, and begin to watch. Those that had not become ready are ended,
        since nobody waits for them any more.

        Raises:
            UsageError: the proxy file cannot be written, or the state is not available.
        """
        await self.store.open()
        await asyncio.gather(*(self._restore(*found) for found in (await self.store.records()).items()))
        try:
            self._proxy_file.write(self._addresses())
        except OSError as error:
            raise UsageError(f"proxy_file cannot be written: {error}") from error
        self._pool.fill()
        self._tasks = [asyncio.create_task(one.watch()) for one in (self._watcher, self._logs, self._sharing)]

    def reload(self, configuration: Configuration) -> None:
        """Use another configuration from now on. Existing sessions are not affected, nor are starts that have begun;
        standbys are replaced if they would be started differently now.

        Raises:
            UsageError: see the constructor. Nothing has changed then.
        """
        starter = Starter(configuration)
        old, self.configuration, self._starter = self.configuration, configuration, starter
        self._admission.change(configuration.settings)
        self._ports.change(configuration.resources)
        self._logs.change(configuration.settings)
        self._watcher.configuration = configuration
        for standby in self._pool.change(configuration.apps, outdated(old, configuration)):
            self._watcher.stop_soon(standby, "its application was configured anew")

    async def close(self) -> None:
        """End every session, unless `keep_sessions` is set; starting ones in any case."""
        self._closing = True
        self._pool.close()
        for task in self._tasks:
            task.cancel()
        keeps = self.configuration.settings.keep_sessions
        leaving = [one.id for one in self.sessions.values() if not keeps or one.state is not State.READY]
        stops = (self.stop(session_id, "the launcher stops") for session_id in leaving)
        for failed in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(failed, Exception):
                logger.error("a session could not be stopped", exc_info=failed)
        for kept in self.sessions.values():
            if kept.spawner is not None:
                kept.spawner.leave()
        await engine.settled()
        await self.store.close()

    # Sessions ---------------------------------------------------------------

    async def launch(
        self, application: str, posted: Mapping[str, Any], client: str = "", waits: Waits = lambda _: None
    ) -> Session:
        """Start a session and wait until it is ready.

        Args:
            application: the application's name.
            posted: the request's other keys; see `variables.accept` for which are used.
            client: the client for which limits count it; empty for nobody.
            waits: called with what the session waits for, when that changes.

        Raises:
            RequestRefused: the request is at fault, or the client has or starts too many sessions.
            NoResources: all ports are in use.
            StartFailed: it ends before it is ready, or is not ready in time. Nothing of it is left then.
        """
        starter = self._starter
        accepted = starter.accept(application, posted)
        session = self._pool.take(application)
        session_id = session.id if session is not None else new_id()
        try:
            await self._admission.admit(client, session_id)
        except LaunchError:
            if session is not None:
                session.standby = True
            raise
        if session is None:
            session = await self._lease(starter, session_id, application, accepted, client)
            await self._start_or_clear(starter, session, waits)
        else:
            await self._hand_over(session, client)
        log_start(session)
        if isinstance(posted.get("sessionManagerURL"), str):
            session.public.setdefault("sessionManagerURL", posted["sessionManagerURL"])
        return session

    def get(self, session_id: str) -> Session | None:
        """The session with this id, if it is ready and belongs to a client."""
        session = self.sessions.get(session_id)
        return session if session is not None and session.state is State.READY and not session.standby else None

    async def stop(self, session_id: str, reason: str = "it was asked to") -> None:
        """End a session. Returns when its processes have gone and its port is free. Unknown ids are ignored."""
        session = self.sessions.get(session_id)
        if session is None:
            return
        if session.move(State.STOPPING):
            session.reason = reason
            self._publish()
        await self._ending.end(session)

    def log_of(self, session: Session) -> str:
        """The end of a session's output, without its secrets."""
        return tail(
            session.spawner.spec.log if session.spawner else log_file(self.configuration, session.id), session.secrets
        )

    @property
    def free_ports(self) -> int:
        """How many sessions can be started."""
        return self._ports.free

    # Inside -----------------------------------------------------------------

    async def _lease(
        self, starter: Starter, session_id: str, application: str, accepted: Mapping[str, str], client: str
    ) -> Session:
        """Create a session that holds a port. A standby gives way to a session with a client."""
        lease = None if self._closing else self._ports.take()
        surplus = self._pool.surplus() if lease is None and not self._closing else None
        if surplus is not None:
            await self.stop(surplus.id, "its port was needed")
            lease = self._ports.take()
        if lease is None:
            await self.store.delete(session_id)
            raise NoResources("All the resources are currently taken")
        session = starter.make(session_id, application, accepted, client, lease)
        self.sessions[session.id] = session
        return session

    async def _start_standby(self, application: str) -> Session:
        if self._closing or not self._ports.free:
            raise NoResources("All the resources are currently taken")
        starter = self._starter
        session = await self._lease(starter, new_id(), application, {}, "")
        session.standby = True
        await self._start_or_clear(starter, session, lambda _: None)
        return session

    async def _hand_over(self, session: Session, client: str) -> None:
        """Give a standby to a client."""
        session.begin(client)
        await self.store.put(session.id, session.record())
        self._publish()
        self._tell(session, None)
        self._pool.fill()

    async def _start_or_clear(self, starter: Starter, session: Session, waits: Waits) -> None:
        try:
            await starter.start(session, self.store, waits)
            self._publish()
        except BaseException as error:
            self._tell(session, error)
            # Even if the launch is cancelled: neither the port nor the processes may be left over.
            await asyncio.shield(self.stop(session.id, getattr(error, "message", "it was given up")))
            raise
        self._tell(session, None)

    async def _restore(self, session_id: str, record: Record | None) -> None:
        """Take over a session from another launcher, or an earlier one, if it is running and was ready; otherwise clean
        up what is left of it."""
        if record is None:
            await self.store.delete(session_id)
            return
        session = Session.from_record(session_id, record)
        self._ports.claim(session.lease)
        self.sessions[session.id] = session
        with contextlib.suppress(UsageError):  # its spawner may have been removed
            session.spawner = find_spawner(record["kind"])(LaunchSpec.from_record(record["spec"]))
            if await session.spawner.restore(record["spawner"]) and session.state is State.READY:
                logger.info("session %s of an earlier launcher runs", session.label)
                for listener in self.on_found:
                    await listener(session)
                self._publish()
                return
        await self.stop(session.id, "it ended with an earlier launcher")

    def _leave(self, session: Session) -> None:
        """Leave a session to another launcher: nothing of it ends."""
        if session.spawner is not None:
            session.spawner.leave()
        self.sessions.pop(session.id, None)
        self._ports.give_back(session.lease)
        self._publish()

    def _publish(self) -> None:
        self._proxy_file.publish(self._addresses())

    def _tell(self, session: Session, error: BaseException | None) -> None:
        for listener in self.on_started:
            listener(session, error)

    def _addresses(self) -> dict[str, Address]:
        return {one.id: one.address for one in self.sessions.values() if self.get(one.id) is one}

    def _each_second(self) -> None:
        """Retry what was not possible before."""
        self._pool.fill()
        if self._proxy_file.late:
            self._publish()


def log_start(session: Session) -> None:
    text = "session %s of %s was started for %s at %s:%d, in %.1f s"
    logger.info(text, session.label, session.application, session.client or "no one", *session.address, session.age)
