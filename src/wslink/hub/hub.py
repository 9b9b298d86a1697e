"""Hub: all clients of one server, their authentication, methods, topics and messages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from wslink.errors import RAISED
from wslink.hub.authentication import Authentication
from wslink.hub.authorization import Authorization, Authorizer
from wslink.hub.away import Away
from wslink.hub.backlog import Backlog
from wslink.hub.clients import Client, Clients
from wslink.hub.cluster import ClusterLink
from wslink.hub.community import Community
from wslink.hub.placement import Placement
from wslink.hub.subscriptions import Subscriptions
from wslink.rpc.dispatcher import Service
from wslink.session.features import Feature, Features
from wslink.session.features.arrays import Arrays
from wslink.session.features.cancel import Cancel
from wslink.session.features.flow import Flow
from wslink.session.features.handle import Handle
from wslink.session.features.progress import Progress
from wslink.session.features.resume import Resume
from wslink.session.features.stream import Stream
from wslink.session.features.subscribe import Subscribe
from wslink.session.identity import Authenticator, Credentials, Identity, Opening
from wslink.session.intake import Turns
from wslink.session.observers import Observer, Observers
from wslink.session.ports import Returnable
from wslink.session.state import OPEN
from wslink.session.tokens import Tokens
from wslink.session.view import SessionView
from wslink.settings import STOP_TIMEOUT
from wslink.wire.limits import Limits

logger: logging.Logger = logging.getLogger("wslink")

STOPS = "the server stops"

ClientHandler = Callable[[str], "Awaitable[None] | None"]

HEARTBEAT = 30.0
"""Seconds."""


class Hub(Placement):
    """The part of a server that does no I/O (session.ports.SessionOwner, hub.ports.Publisher).

    Args:
        owner: the value of `Call.app`.
        authenticate: decides on each hello.
        limits: see Limits.
        debug: whether errors contain stack traces (ERR-2).
        open_topics: see Subscriptions.
        observers: observers of sessions and messages; see Observer.
        features: offered to clients in addition to those of this package; see Feature.

    Attributes:
        heartbeat: see SessionOwner.
        service: runs the calls, and holds the methods.
        subscriptions: the topics, and the subscriptions to them.
        cluster: the connection to other workers; None if this worker is alone.
        community: the authenticated clients, and their groups.
        sessions: their sessions, by client id.
        connected: all sessions that have a connection, authenticated or not, and detached ones.
        tokens: finds the sessions of returning clients.
        on_connect, on_disconnect, on_detach, on_resume: called with the client's id; see App.
        on_change: called on the event loop's thread when a client has connected or gone.
    """

    def __init__(
        self,
        owner: Any,
        authenticate: Authenticator,
        limits: Limits,
        *,
        debug: bool = False,
        open_topics: bool = False,
        observers: Iterable[Observer] = (),
        features: Iterable[Feature] = (),
    ) -> None:
        super().__init__()
        self.limits: Limits = limits
        self.heartbeat: float = HEARTBEAT
        self.lock: threading.RLock = threading.RLock()  # publishers on other threads create topics, too
        self.service: Service = Service(owner, self.work.spawn, self.executors, limits, debug)
        self.cluster: ClusterLink | None = None
        self.authorization: Authorization = Authorization()
        self.community: Community = Community(self)
        self.subscriptions: Subscriptions = Subscriptions(self, limits, open_topics, self.authorization)
        own = Subscribe(self.subscriptions), Arrays(), Flow(self.subscriptions.observe), Resume(), Cancel()
        self.features: Features = Features((*own, Progress(), Stream(), Handle(), *features))
        self.turns: Turns = Turns()
        self.backlog: Backlog = Backlog(lambda: self.limits, self._shed)
        self.observers: Observers = Observers()
        for observer in observers:
            self.observers.add(observer)
        self.tokens: Tokens[Returnable] = Tokens()
        self.sessions: dict[str, SessionView] = {}
        self.connected: set[SessionView] = set()
        self.on_connect: list[ClientHandler] = []
        self.on_disconnect: list[ClientHandler] = []
        self.on_detach: list[ClientHandler] = []
        self.on_resume: list[ClientHandler] = []
        self.on_change: list[Callable[[], None]] = []
        self._away = Away()
        self._authentication = Authentication(authenticate)
        self._headers_wanted = False
        self._stopping = False

    def configure(self, limits: Limits, debug: bool, threads: int = 0, heartbeat: float = HEARTBEAT) -> None:
        """Apply settings that are known only after construction; see Work.set_threads. Existing sessions keep the
        previous ones."""
        self.limits = self.service.limits = self.subscriptions.limits = limits
        self.service.debug = debug
        self.service.methods.check_results(debug)
        self.subscriptions.check_types(debug)
        self.heartbeat = heartbeat
        self.work.set_threads(threads)

    def authenticate_with(self, authenticate: Authenticator, wants_headers: bool = True) -> None:
        """Use the application's `authenticate` from the next hello on. Existing connections have not kept their
        headers."""
        self._authentication.authenticate = lambda credentials: self.perform(partial(authenticate, credentials))
        self._headers_wanted = wants_headers

    def authorize_with(self, authorize: Authorizer) -> None:
        """Use `authorize` for calls and subscriptions from now on. Existing subscriptions are kept."""
        self.authorization.use(authorize)
        self.service.refuse = self.authorization.refuse_call

    @property
    def clients(self) -> Clients:
        return self.community.clients

    # Life -------------------------------------------------------------------

    def start(self) -> None:
        """Bind to the running event loop and its thread."""
        self.bind()
        self.reopen()
        if self.cluster is not None:
            self.cluster.begin()

    def reopen(self) -> None:
        """Accept clients again after a stop: another server starts to serve this hub."""
        self._stopping = False

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Close every session with 1001, including new ones until another server starts; then stop as Work.stop
        does."""
        self._stopping = True
        if self.cluster is not None:
            await self.cluster.hand_over(timeout)
        for session in list(self.connected):
            session.close(1001, STOPS)
        await self.work.stop(timeout)
        if self.cluster is not None:
            await self.cluster.stop()

    # session.ports.SessionOwner -------------------------------------------------

    def wants_requests(self) -> bool:
        wishes = self.observers.wants_request
        return bool(wishes) and any(wants() for wants in wishes)

    def wants_headers(self) -> bool:
        return self._headers_wanted

    def authenticate(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        return self._authentication.admit(credentials)

    def opened(self, session: SessionView, opening: Opening) -> None:
        if not self.is_bound:
            self.start()
        self.connected.add(session)
        try:
            for notify in self.observers.opened:
                notify(session, opening)
        except RAISED:
            logger.exception("client %s: an observer of new connections raised", session.client_id)
            session.close(1011, "the server failed to take the connection")

    def recall(self, token: str) -> Awaitable[None] | None:
        return self.cluster.recall(token) if self.cluster is not None else None

    def admit(self, session: SessionView, identity: Identity, opening: Opening) -> Client:
        return self.community.make(session, identity, opening)

    def welcome(self, session: SessionView) -> None:
        client = session.client
        if self._stopping or not isinstance(client, Client):
            session.close(1001, STOPS)
            return
        with self.lock:
            self.sessions[session.client_id] = session
            self.community.enter(client)
            self.subscriptions.join(session)
        if logger.isEnabledFor(logging.INFO):
            name = f" as {client.user}" if client.user else ""
            logger.info("client %s from %s connected%s", client.id, client.address or "nowhere", name, extra=client.log)
        self._changed()
        for handler in self.on_connect:
            self.handle(handler, session.client_id)
        if not session.subscribing:
            self.subscriptions.announce(session)

    def detached(self, session: SessionView) -> None:
        logger.info("client %s has lost its connection", session.client_id, extra=self._log(session))
        client = self.community.get(session.client_id)
        self._away.add(session, client.address if client is not None else "")
        for notify in self.observers.detached:
            notify(session)
        if len(self._away) > self.limits.max_clients:
            self._away.first_to_go.close(1008, f"over max_clients ({self.limits.max_clients}) clients are away")
        for handler in self.on_detach:
            self.handle(handler, session.client_id)

    def resumed(self, session: SessionView, opening: Opening) -> None:
        self._away.discard(session)
        client = self.community.get(session.client_id)
        if client is not None:
            client.address = opening.address
        logger.info("client %s has returned", session.client_id, extra=self._log(session))
        for notify in self.observers.resumed:
            notify(session)
        for handler in self.on_resume:
            self.handle(handler, session.client_id)

    def merged(self, session: SessionView) -> None:
        self.connected.discard(session)
        for notify in self.observers.closed:
            notify(session)

    def _log(self, session: SessionView) -> dict[str, str] | None:
        """The fields of log records about the session's client."""
        client = self.community.get(session.client_id)
        return client.log if client is not None else None

    def farewell(self, session: SessionView) -> None:
        self.connected.discard(session)
        self._away.discard(session)
        if session in self.subscriptions:
            self._part(session)
        else:
            logger.info(
                "client %s left before it had authenticated", session.client_id, extra={"client": session.client_id}
            )
        for notify in self.observers.closed:
            notify(session)

    def _part(self, session: SessionView) -> None:
        client = self.community.get(session.client_id)
        with self.lock:
            subscriptions = self.subscriptions.leave(session)
            known = self.sessions.get(session.client_id) is session
            if known:
                del self.sessions[session.client_id]
        if client is not None and known:
            self.community.go(client)
        logger.info("client %s disconnected", session.client_id, extra=client.log if client is not None else None)
        for subscription in subscriptions:
            self.subscriptions.end(subscription)
        self._changed()
        for handler in self.on_disconnect:
            self.handle(handler, session.client_id)

    def _changed(self) -> None:
        for notify in tuple(self.on_change):
            notify()

    def _shed(self) -> None:
        """Reduce what is kept for clients, and disconnect those with the longest queues, until the total is within its
        limit (LIM-6)."""
        while self.backlog.over:
            most = max(self.connected, key=_held)
            resumption = most.resumption
            if resumption is not None and resumption.size > most.queue.waiting and most.state is OPEN:
                resumption.give_up()  # the session continues, but cannot be resumed
                continue
            limit, waiting = self.limits.max_server_backlog, most.queue.waiting
            most.close(1008, f"over max_server_backlog ({limit} bytes) wait for all clients, {waiting} of them for it")

    # hub.ports.Publisher -------------------------------------------------------

    @property
    def max_frame(self) -> int:
        return self.limits.max_sent_frame

    @property
    def max_retained(self) -> int:
        return self.limits.max_retained

    def knows(self, client_id: str) -> bool:
        return client_id in self.sessions or client_id in self.community.remote


def _held(session: SessionView) -> int:
    """Bytes that are waiting or kept for a client."""
    return session.queue.waiting + (session.resumption.size if session.resumption is not None else 0)
