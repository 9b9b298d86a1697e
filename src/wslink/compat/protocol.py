"""Base classes of the released API's backends: WslinkHandler (an endpoint) and AbstractWebApp (a server)."""

from __future__ import annotations

import logging
from asyncio import Task
from functools import partial
from typing import Any

from wslink import errors
from wslink import settings as environment
from wslink.compat.abstract_app import AbstractWebApp
from wslink.compat.chunking import UnChunker, generate_chunks
from wslink.compat.core import schedule_coroutine
from wslink.compat.emitter import EventEmitter
from wslink.compat.hosting import ProtocolHost, bare_id, core_id, host_of, without_secrets
from wslink.compat.monitor import NetworkMonitor
from wslink.compat.publish import PublishManager, as_attachment
from wslink.compat.session_socket import SessionSocket
from wslink.compat.websocket import ServerProtocol
from wslink.errors import NotSerializable
from wslink.hub.hub import Hub
from wslink.hub.latest import parse_latest
from wslink.server.limits import limits as limits_of_environment
from wslink.server.options import Options
from wslink.session.identity import Opening
from wslink.session.session import Session
from wslink.session.state import State
from wslink.transport.gate import ReadGate
from wslink.transport.queued import PumpedConnection, Start
from wslink.wire.frames import Message
from wslink.wire.limits import MIB, Limits
from wslink.wire.messages import VERSION

__all__ = [
    "AUTHENTICATION_ERROR",
    "CLIENT_ERROR",
    "EXCEPTION_ERROR",
    "MAX_MSG_SIZE",
    "METHOD_NOT_FOUND",
    "RESULT_SERIALIZE_ERROR",
    "AbstractWebApp",
    "PublishManager",
    "ServerProtocol",
    "UnChunker",
    "WslinkHandler",
    "generate_chunks",
    "schedule_coroutine",
]

METHOD_NOT_FOUND = errors.METHOD_NOT_FOUND
AUTHENTICATION_ERROR = errors.AUTHENTICATION_ERROR
EXCEPTION_ERROR = errors.EXCEPTION_ERROR
RESULT_SERIALIZE_ERROR = errors.RESULT_SERIALIZE_ERROR
CLIENT_ERROR = errors.CLIENT_ERROR
MAX_MSG_SIZE = 4 * MIB

logger: logging.Logger = logging.getLogger("wslink.protocol")


class WslinkHandler:
    """An endpoint: the connections of one route to one ServerProtocol.

    Backends of the core attach their sessions. A subclass may carry its own connections: it puts an object with
    `send_bytes`, `send_str` and `close` into `connections` under an id, then calls `onConnect`, `onMessage` for each
    frame, and `onClose`.

    Attributes:
        serverProtocol: the ServerProtocol.
        web_app: the AbstractWebApp that it belongs to, or None.
        connections: the WebSockets, by client id.
        publishManager: see PublishManager.
        network_monitor: the protocol's.
        log_emitter: the protocol's.
    """

    reverse_connection_client_id = "reverse_connection_client_id"

    def __init__(self, protocol: ServerProtocol, web_app: AbstractWebApp | None = None, limits: Limits | None = None):
        self.web_app = web_app
        self.connections: dict[str, Any] = {}
        self.publishManager: PublishManager = PublishManager()
        self.pub_manager: PublishManager = self.publishManager
        self.publishManager.registerProtocol(self)
        self._sessions: dict[str, Session] = {}
        self._transports: dict[str, PumpedConnection] = {}
        self._host: ProtocolHost
        self.setServerProtocol(protocol)
        debug = self.hub.service.debug if web_app is None else bool(web_app.config.get("debug"))
        self.hub.configure(limits or limits_of_environment(), debug, environment.read_option(Options, "threads"))
        self.hub.subscriptions.deliver_latest(parse_latest(environment.read("WSLINK_LATEST", str, "")))

    @property
    def hub(self) -> Hub:
        """The hub of the protocol, which its endpoints share."""
        return self._host.hub

    @property
    def functionMap(self) -> dict[str, tuple[Any, Any]]:
        """Object and function of each method, by name."""
        return self._host.functions

    @property
    def authentified_client_ids(self) -> set[str]:
        return {client_id for client_id in tuple(self._sessions) if self.isClientAuthenticated(client_id)}

    def setServerProtocol(self, protocol: ServerProtocol) -> None:
        self.serverProtocol = protocol
        self.network_monitor: NetworkMonitor = protocol.network_monitor
        self.log_emitter: EventEmitter = protocol.log_emitter
        self._host = host_of(protocol)
        self._host.hub.reopen()
        self._host.handlers.append(self)
        self._host.collect(self.publish, self.addAttachment, self._host.stop)

    def getServerProtocol(self) -> ServerProtocol:
        return self.serverProtocol

    # What protocols are given -------------------------------------------------------

    def publish(
        self, topic: str, data: Any, client_id: str | None = None, skip_last_active_client: bool = False
    ) -> None:
        """Send `data` to the protocol's clients.

        Args:
            topic: dot-separated words.
            data: any encodable value. It is encoded before this returns.
            client_id: send it to this client only.
            skip_last_active_client: leave out the client whose call is running.
        """
        self._host.publish(topic, data, client_id, skip_last_active_client)

    def addAttachment(self, payload: Any) -> Any:
        """Binary data in a form that can be part of what is sent."""
        return as_attachment(payload)

    # Connections ----------------------------------------------------------------------

    async def onConnect(self, request: Any, client_id: str) -> None:
        """A connection of the subclass is open: the one in `connections` under `client_id`."""
        self.connected(request, client_id)

    async def onMessage(self, is_binary: bool, msg: Any, client_id: str) -> None:
        """A frame has arrived on a connection of the subclass: `msg.data`."""
        self.received(is_binary, msg.data, client_id)

    async def onClose(self, client_id: str) -> None:
        """A connection of the subclass has ended."""
        self.ended(client_id)

    def connected(self, request: Any, client_id: str) -> None:
        """Like `onConnect`."""
        transport = PumpedConnection(self.connections.get(client_id))
        opening = Opening(request=request)
        session = Session(self.hub, transport, opening, client_id=core_id(client_id), route=self)
        session.resumable = False  # frames come by the id of the connection that they arrived on
        transport.carry(session)
        self._transports[client_id] = transport

    def received(self, is_binary: bool, data: Any, client_id: str) -> None:
        """Like `onMessage`, with the data itself."""
        session = self._sessions.get(client_id)
        if session is not None:
            session.receive(is_binary, data)

    def gate(self, client_id: str) -> ReadGate | None:
        """The gate that tells whether to read on from a client; None if it is unknown."""
        transport = self._transports.get(client_id)
        return transport.gate if transport is not None else None

    def write_at_once(self, client_id: str, task: Task[Any], start: Start) -> None:
        """Write to a connected client like PumpedConnection.write_at_once."""
        self._transports[client_id].write_at_once(task, start)

    def ended(self, client_id: str) -> None:
        """Like `onClose`."""
        session = self._sessions.get(client_id)
        if session is not None:
            session.closed()

    async def onCompleteMessage(self, rpc: Any, client_id: str) -> None:
        """A decoded message has arrived."""
        session = self._sessions.get(client_id)
        if session is not None:
            session.take(rpc)

    async def handleSystemMessage(self, rpcid: str, methodName: str, args: list[Any], client_id: str) -> bool:
        """Handle a call if its id is that of a system message. Returns whether it is."""
        if not rpcid.startswith("system:"):
            return False
        await self.onCompleteMessage({"wslink": VERSION, "id": rpcid, "method": methodName, "args": args}, client_id)
        return True

    async def disconnectClients(self) -> None:
        """Close every connection with 1001, and end running calls."""
        await self.hub.on_loop_await(self._disconnect())

    async def _disconnect(self) -> None:
        if self in self._host.handlers:
            self._host.handlers.remove(self)
        self.publishManager.unregisterProtocol(self)
        for session in list(self._sessions.values()):
            session.close(1001, "Server shutdown")
        if not self._host.handlers:
            await self.hub.stop(environment.read_option(Options, "stop_timeout"))

    def reopen(self) -> None:
        """Accept connections again, after `disconnectClients`."""
        self.publishManager.registerProtocol(self)
        self.setServerProtocol(self.serverProtocol)

    def attach(self, session: Session) -> None:
        """Called by the host: a session has begun."""
        client_id = bare_id(session.client_id)
        self._sessions[client_id] = session
        self.connections.setdefault(client_id, SessionSocket(session, self.hub.on_loop))

    def detach(self, session: Session) -> None:
        """Called by the host: a session has ended."""
        client_id = bare_id(session.client_id)
        if self._sessions.get(client_id) is session:
            del self._sessions[client_id]
            self._transports.pop(client_id, None)
            if isinstance(self.connections.get(client_id), SessionSocket):  # a subclass removes its own, once they end
                del self.connections[client_id]

    # Clients ----------------------------------------------------------------------------

    async def validateToken(self, token: Any, client_id: str) -> bool:
        """Whether `token` authenticates a client."""
        return await self._host.validate(token, client_id)

    def isClientAuthenticated(self, client_id: str) -> bool:
        session = self._sessions.get(client_id)
        return session is not None and session.state is State.OPEN

    def getAuthenticatedWebsockets(
        self, client_id: str | None = None, skip_last_active_client: bool = False
    ) -> list[Any]:
        """The WebSockets of the clients that have authenticated: all, all but the last active, or one."""
        found = (self.connections.get(id_) for id_ in self._targets(client_id, skip_last_active_client))
        return [connection for connection in found if connection is not None]

    def payloadWithSecretStripped(self, payload: dict[str, Any]) -> dict[str, Any]:
        """`payload`, with the values of arguments named `secret` replaced by asterisks."""
        return without_secrets(payload)

    def setSecret(self, newSecret: Any) -> None:
        self.secret = newSecret

    async def sendWrappedMessage(
        self,
        rpcid: str,
        content: Any,
        method: str = "",
        client_id: str | None = None,
        skip_last_active_client: bool = False,
    ) -> None:
        """Send a result under `rpcid` to the clients that `getAuthenticatedWebsockets` names."""
        for id_ in self._targets(client_id, skip_last_active_client):
            session = self._sessions.get(id_)
            if session is None:
                continue
            try:
                self._send(session, session.encoder.result(rpcid, content, self.hub.max_frame))
            except NotSerializable:
                text = "Method result cannot be serialized"
                await self.sendWrappedError(rpcid, RESULT_SERIALIZE_ERROR, text, method, id_)

    async def sendWrappedError(
        self, rpcid: str, code: int, message: str, data: Any = None, client_id: str | None = None
    ) -> None:
        """Send an error for `rpcid` to a client, or to all. Data that cannot be encoded is left out."""
        error = {"code": code, "message": message, **({} if data is None else {"data": data})}
        for session in [self._sessions.get(client_id)] if client_id else list(self._sessions.values()):
            if session is None:
                continue
            try:
                self._send(session, session.encoder.failure(rpcid, error, self.hub.max_frame))
            except NotSerializable:
                plain = {"code": code, "message": message}
                self._send(session, session.encoder.failure(rpcid, plain, self.hub.max_frame))

    def _send(self, session: Session, message: Message) -> None:
        self.hub.on_loop(partial(session.send, message))

    def _targets(self, client_id: str | None, skip_last_active_client: bool) -> list[str]:
        known = [id_ for id_ in tuple(self._sessions) if self.isClientAuthenticated(id_)]
        if skip_last_active_client:
            last = self.web_app.last_active_client_id if self.web_app is not None else None
            return [id_ for id_ in known if id_ != last]
        return [id_ for id_ in known if id_ == client_id] if client_id else known
