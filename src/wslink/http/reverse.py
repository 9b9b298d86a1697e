"""The reverse connection: a server that dials a relay instead of listening."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Any, cast

import aiohttp

from wslink.errors import UsageError
from wslink.http.endpoint import SHUT_DOWN_TIMEOUT
from wslink.http.tokens import read_token
from wslink.session.identity import Opening
from wslink.session.ports import FrameReceiver, SessionOwner
from wslink.session.session import Renew, Session
from wslink.session.state import State
from wslink.transport.aiohttp import AiohttpConnection
from wslink.transport.private import client_guard, client_transport, guarding_connector
from wslink.waiting import within
from wslink.wire.frames import Buffer
from wslink.wire.messages import Request

logger: logging.Logger = logging.getLogger("wslink.http")

PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a connection is made again: at first, and at most, where it fails or ends soon again and again with
nobody having come."""

NEW_PEER = b"wslink:peer"
"""The payload of a ping by which a relay tells that another client has come. Pages cannot send pings, and a process
that does not know this one answers it as any other."""


class SuccessiveSessions:
    """The sessions of clients that use one connection one after another (session.ports.FrameReceiver).

    A client must not inherit what another one was granted: a hello after a successful one begins a new session, as does
    `next_client`.

    Args:
        begin: creates a session, which passes on a hello after a successful one.

    Attributes:
        awaited: whether nothing has been received yet: there may be no client at the other end.
    """

    def __init__(self, begin: Callable[[Renew], Session]) -> None:
        self._begin = begin
        self._session: FrameReceiver = begin(self._renew)
        self.awaited: bool = True

    @property
    def client_id(self) -> str:
        """The current client's id."""
        return self._session.client_id

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def chunked(self) -> bool:
        return self._session.chunked

    def uncount(self, size: int) -> None:
        self._session.uncount(size)

    def receive(self, binary: bool, data: Buffer | str) -> None:
        if self.awaited:
            self.awaited = False
            if isinstance(self._session, Session):
                self._session.expect_hello()
        self._session.receive(binary, data)

    def charge(self, seconds: float) -> None:
        self._session.charge(seconds)

    def resume(self) -> None:
        self._session.resume()

    def closed(self, asked: bool = False) -> None:
        self._session.closed(asked)

    def close(self, code: int, reason: str) -> None:
        self._session.close(code, reason)

    def take(self, receiver: FrameReceiver) -> None:
        """A client has returned to its session over this connection, or over another one (RES-6, RES-9)."""
        if isinstance(receiver, Session):
            receiver.renew = self._renew
        self._session = receiver

    def next_client(self) -> None:
        """Another client has connected."""
        self._session.closed()
        self._session = session = self._begin(self._renew)
        self.awaited = False
        session.expect_hello()

    def _renew(self, hello: Request) -> None:
        before = self._session
        assert isinstance(before, Session)
        held = before.give_up_held()
        self.next_client()
        assert isinstance(self._session, Session)
        self._session.succeed(before, hello)
        for frame in held:
            self._session.receive(*frame)


class SharedConnection(AiohttpConnection):
    """A connection whose clients change.

    Attributes:
        sessions: their sessions; None until it has begun.
    """

    sessions: SuccessiveSessions | None = None

    def carry(self, receiver: FrameReceiver) -> None:
        if self.sessions is not None:
            self.sessions.take(receiver)


class ReverseConnection:
    """A connection from a server to a relay, over which it serves clients one after another.

    Args:
        host: the hub.
        url: the relay's address: ws:// or wss://.
        heartbeat: seconds between pings; below 1 there are none.
        token_file: a file with the token that the relay requires, as `Authorization: Bearer`; read for each connection.
        route: the `Session.route` of the sessions.
        client_id: the id of each client; random by default.
    """

    def __init__(
        self,
        host: SessionOwner,
        url: str,
        heartbeat: float,
        *,
        token_file: str = "",
        route: Any = None,
        client_id: str | None = None,
    ) -> None:
        self._host = host
        self._url = url
        self._heartbeat = heartbeat
        self._token_file = token_file
        self._route = route
        self._client_id = client_id
        self._connection: AiohttpConnection | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and serve until `close`; returns once it is connected. A connection that ends is opened again.

        Raises:
            OSError: the relay does not answer, or refuses.
            UsageError: the token cannot be read, or the address is not valid.
        """
        connected = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self.serve(lambda: connected.set_result(None)))
        try:
            await asyncio.wait({connected, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not connected.done():
            try:
                await self._task
            except aiohttp.InvalidURL as error:
                raise UsageError(f"reverse_url is not an address such as ws://relay:8080/meet/42: {error}") from error
            except (aiohttp.ClientError, UnicodeError) as error:  # the latter of a name that no resolver knows
                raise OSError(f"reverse_url: {_reason(error)}") from error

    async def serve(self, connected: Callable[[], None]) -> None:
        """Connect and serve until `close`. `connected` is called after connecting for the first time.

        Raises:
            aiohttp.ClientError: the first connection fails. Later ones are retried.
            UsageError: the token cannot be read for the first connection.
        """
        await self.carry(connected)
        loop, pause = asyncio.get_running_loop(), PAUSE
        while not await self._closes_within(pause * random.uniform(0.5, 1)):  # noqa: S311 - so that not all come at once
            began, served = loop.time(), False
            try:
                served = await self.carry(lambda: None)
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError, UsageError) as error:
                logger.warning("the reverse connection cannot be made again: %s", _reason(error))
            held = served or loop.time() - began > LONGEST_PAUSE  # a client that comes and goes is to find it again
            pause = PAUSE if held else min(2 * pause, LONGEST_PAUSE)

    async def carry(self, connected: Callable[[], None]) -> bool:
        """Connect and serve until the connection ends. Returns whether a client has sent anything. Raises the same as
        `serve`."""
        token = read_token("reverse_token_file", self._token_file)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession(connector=guarding_connector()))
            socket = await self._dial(http, headers)
            if socket is None:
                return False
            stack.push_async_callback(socket.close)
            connected()
            self._connection = connection = SharedConnection(
                socket, client_transport(socket), self._heartbeat, self._host.limits, client_guard(socket)
            )
            sessions = SuccessiveSessions(lambda renew: self._session(connection, renew))
            connection.sessions = sessions
            connection.on_ping = lambda payload: sessions.next_client() if payload == NEW_PEER else None
            await connection.run(sessions)
            return not sessions.awaited

    async def _dial(
        self, http: aiohttp.ClientSession, headers: dict[str, str]
    ) -> aiohttp.ClientWebSocketResponse[Any] | None:
        """Open the WebSocket; None if `close` is called before the relay has answered."""
        limit = self._host.limits.max_frame
        dialling: asyncio.Future[Any] = asyncio.ensure_future(
            http.ws_connect(self._url, headers=headers, autoping=False, max_msg_size=limit, compress=0)
        )
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({dialling, closing}, return_when=asyncio.FIRST_COMPLETED)
            return cast("aiohttp.ClientWebSocketResponse[Any]", dialling.result()) if dialling.done() else None
        finally:
            for one in (dialling, closing):
                one.cancel()
            await asyncio.wait({dialling, closing})

    async def close(self) -> None:
        """Stop connecting, and wait until the connection has ended."""
        self._closing.set()
        if self._connection is not None:
            self._connection.close(1001, "the server stops")
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=SHUT_DOWN_TIMEOUT)
            self.abort()
            await asyncio.wait({self._task})

    def abort(self) -> None:
        """End the connection at once."""
        if self._connection is not None:
            self._connection.abort()

    async def _closes_within(self, seconds: float) -> bool:
        with contextlib.suppress(asyncio.TimeoutError):
            await within(self._closing.wait(), seconds)
        return self._closing.is_set()

    def _session(self, connection: AiohttpConnection, renew: Renew) -> Session:
        # Its client may connect much later: hello_timeout counts from its first message.
        session = Session(
            self._host,
            connection,
            Opening(request=self._url),
            client_id=self._client_id,
            route=self._route,
            hello_timeout=False,
            renew=renew,
        )
        session.resumable = self._client_id is None  # clients that share an id cannot be distinguished
        return session


def _reason(error: BaseException) -> str:
    """Why the relay was not reached. The address is left out: its path may be the credential of a session."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"the relay answers {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.strerror or 'it cannot be reached'}"
    return str(error) if isinstance(error, UsageError) else type(error).__name__
