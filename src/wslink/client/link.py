"""The client's end of a connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any

import aiohttp

from wslink.client.subscription import ClientSubscription, Inbox
from wslink.errors import (
    AUTHENTICATION_ERROR,
    CLIENT_ERROR,
    AuthenticationError,
    CallError,
    ConnectionClosed,
    LinkError,
    NotSerializable,
    PeerError,
    UsageError,
)
from wslink.version import __version__
from wslink.wire import messages as wire
from wslink.wire.chunks import frames_of
from wslink.wire.codec import SECOND, SECOND_WITH_ARRAYS
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.messages import ARRAYS
from wslink.wire.messages import SUBSCRIPTIONS as SUBSCRIBE
from wslink.wire.show import shown
from wslink.wire.v2_msgpack import INCOMPLETE, SecondDecoder, SecondEncoder

logger = logging.getLogger("wslink.client")

FIRST_FRAME_SIZE = 512 * 1024  # G2-5: until hello tells the server's
CLOSE_TIMEOUT = 2.0
"""Seconds that the server has to answer the closing handshake."""
KEEP_ALIVE = 1.0
"""Seconds between signs of life while reading is paused for a slow subscriber: what the fastest heartbeat needs."""


class Link:
    """An open, authenticated connection to a server. Made by `connect`; usable as an async context manager, which
    closes it.

    Attributes:
        client_id: the id that the server gave, as it stands in `Call.client_id`.
        server: what the server says of itself: {"name", "version"}; {} for released servers.
        features: the extensions that the server accepted.
    """

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, limits: Limits) -> None:
        self.client_id = ""
        self.server: dict[str, Any] = {}
        self.features: tuple[str, ...] = ()
        self._session = session
        self._socket = socket
        self._encoder: SecondEncoder = SECOND
        self._decoder = SecondDecoder(limits)
        self._max_frame = FIRST_FRAME_SIZE
        self._numbers = itertools.count()
        self._subscription_ids = itertools.count(1)
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._subscriptions: dict[int, Inbox] = {}
        self._chunking = asyncio.Lock()
        self._room = asyncio.Event()
        self._ended: ConnectionClosed | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    # Calls ------------------------------------------------------------------

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call `method` and return its result. Use `asyncio.timeout` or `asyncio.wait_for` to bound the wait.

        Arguments may hold bytes and NumPy arrays anywhere.

        Raises:
            CallError: the server answered with a failure.
            ConnectionClosed: the connection is closed, or closed before the answer.
            NotSerializable: an argument cannot be sent.
        """
        return await self._request(f"rpc:{self.client_id}:{next(self._numbers)}", method, args, kwargs)

    async def _request(self, id_: str, method: str, args: Any, kwargs: dict[str, Any]) -> Any:
        if self._ended is not None:
            raise ConnectionClosed(self._ended.code, self._ended.reason)
        message = self._encoder.call(id_, method, args, kwargs, self._max_frame)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[id_] = answer
        self._room.set()  # a result must be read past a full subscription
        try:
            if message.source is None:
                await self._send(message)
            else:  # a caller that gives up must not leave half a message with the server
                await asyncio.shield(self._keep(self._send_chunks(message)))
            return await answer
        finally:
            self._pending.pop(id_, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # is retrieved, should the sending have failed before it

    async def _send_chunks(self, message: Message) -> None:
        async with self._chunking:  # one after another, for the server bounds how many are under way (LIM-4)
            await self._send(message)

    async def _send(self, message: Message) -> None:
        try:
            for frame in frames_of(message):
                await self._socket.send_bytes(bytes(frame.joined()))
        except ConnectionError as error:
            end = self._ended or ConnectionClosed(1006, str(error))
            raise ConnectionClosed(end.code, end.reason) from error

    async def _system(self, method: str, argument: dict[str, Any]) -> Any:
        return await self._request(f"system:{method}:{next(self._numbers)}", method, [argument], {})

    async def hello(self, secret: str | None) -> None:
        """Authenticate (HELLO-1, EXT-1). Raises AuthenticationError, ConnectionClosed."""
        token: dict[str, Any] = {} if secret is None else {"secret": secret}
        token.update(features=[SUBSCRIBE, ARRAYS], client={"name": "wslink-python", "version": __version__})
        try:
            answer = await self._request(wire.HELLO_ID, wire.HELLO, [token], {})
        except CallError as error:
            if error.code != AUTHENTICATION_ERROR:
                raise ConnectionClosed(1006, f"the server did not take hello: {error}") from error
            why = "the server refused the secret" if secret is not None else "the server wants a secret"
            raise AuthenticationError(f"{error.message}: {why}; connect(url, secret=...)") from error
        try:
            self.client_id = str(answer["clientID"])
            self._max_frame = int(answer.get("maxMsgSize", self._max_frame))
            self.features = tuple(answer.get("features", ()))
            self.server = dict(answer.get("server", {}))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConnectionClosed(1006, f"the server's answer to hello makes no sense: {shown(answer)}") from error
        if ARRAYS in self.features:
            self._encoder = SECOND_WITH_ARRAYS
            self._decoder.accept_arrays()

    # Subscriptions ------------------------------------------------------------

    def subscribe(self, topic: str, *, filter: Mapping[str, Any] | None = None, buffer: int = 32) -> ClientSubscription:
        """Subscribe to a topic; iterate over what is returned.

        Args:
            topic: its name.
            filter: only publications whose tags match; a mapping from tag names to a value, a list of values, or a
                mapping with any of gte, gt, lte, lt, ne.
            buffer: payloads that may wait for a slow subscriber before the link stops reading.
        """
        if buffer < 1:
            raise UsageError("buffer must be at least 1")
        _check_filter(filter)
        inbox = Inbox(next(self._subscription_ids), topic, buffer)
        self._subscriptions[inbox.id] = inbox
        self._keep(self._subscribe(inbox, filter))
        return ClientSubscription(self, inbox)

    async def _subscribe(self, inbox: Inbox, filter: Mapping[str, Any] | None) -> None:
        try:
            await self._announce(inbox, filter)
        except (LinkError, NotSerializable) as error:
            self._subscriptions.pop(inbox.id, None)
            inbox.end(error)
        else:
            if not inbox.ready.done():
                inbox.ready.set_result(None)

    async def _announce(self, inbox: Inbox, filter: Mapping[str, Any] | None) -> None:
        if SUBSCRIBE in self.features:
            request = {"subscription": inbox.id, "topic": inbox.topic, "filter": dict(filter or {})}
            answer = await self._system(wire.SUBSCRIBE, request)
            inbox.latest = isinstance(answer, dict) and answer.get("delivery") == "latest"
        elif filter:
            raise CallError(CLIENT_ERROR, "this server has no filters: it did not accept the feature 'subscribe'")

    async def update_subscription(self, inbox: Inbox, filter: Mapping[str, Any] | None) -> None:
        """See ClientSubscription.update."""
        _check_filter(filter)
        if inbox.id not in self._subscriptions:
            raise UsageError(f"the subscription to {inbox.topic} has ended")
        await self._announce(inbox, filter)

    def cancel_subscription(self, inbox: Inbox) -> asyncio.Task[None]:
        """See ClientSubscription.cancel."""
        inbox.end(None)
        return self._keep(self._unsubscribe(inbox))

    def abandon_subscription(self, inbox: Inbox) -> None:
        """Cancel a subscription whose subscriber has gone, once whoever still waits for `ready` knows."""
        inbox.ready.add_done_callback(lambda _: self.cancel_subscription(inbox))

    async def _unsubscribe(self, subscription: Inbox) -> None:
        known = self._subscriptions.pop(subscription.id, None)
        self._room.set()
        if known is not None and SUBSCRIBE in self.features and self._ended is None:
            with contextlib.suppress(CallError, ConnectionClosed):
                await self._system(wire.UNSUBSCRIBE, {"subscription": subscription.id})

    # End ------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection; pending calls raise ConnectionClosed, iterations stop. Safe to call more than once."""
        self._finish(ConnectionClosed(1000, "closed by this side"), orderly=True)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._socket.close(), CLOSE_TIMEOUT)
        self._reader.cancel()
        await asyncio.gather(self._reader, *self._tasks, return_exceptions=True)
        await self._session.close()

    async def wait_closed(self) -> ConnectionClosed:
        """Wait for the connection's end; how it ended."""
        await asyncio.wait({self._reader})
        assert self._ended is not None
        return self._ended

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _finish(self, end: ConnectionClosed, orderly: bool = False) -> None:
        if self._ended is not None:
            return
        self._ended = end
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(end)
        for subscription in self._subscriptions.values():
            subscription.end(None if orderly else end, end)
        self._subscriptions.clear()

    # Reading ----------------------------------------------------------------------

    async def _read(self) -> None:
        end = ConnectionClosed(1006, "the connection was lost")
        try:
            while True:
                frame = await self._socket.receive()
                if frame.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                    self._receive(frame.type is aiohttp.WSMsgType.BINARY, frame.data)
                    await self._wait_for_room()
                elif frame.type is aiohttp.WSMsgType.CLOSE:
                    end = ConnectionClosed(frame.data, str(frame.extra or ""))
                    return
                elif frame.type in (aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                    return
                elif frame.type is aiohttp.WSMsgType.ERROR:
                    end = ConnectionClosed(1006, str(frame.data))
                    return
        except ConnectionError as error:
            end = ConnectionClosed(1006, str(error))
        finally:
            self._finish(end)
            await self._session.close()

    async def _wait_for_room(self) -> None:
        """Stop reading while a subscriber is behind, unless that holds up anybody else.

        Raises:
            ConnectionError: the connection has ended meanwhile.
        """
        if any(inbox.full for inbox in self._subscriptions.values()):
            await asyncio.sleep(0)  # a subscriber that is not behind takes now what waits for it
        while self._ended is None and not self._pending and self._is_held_up():
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), KEEP_ALIVE)
            except asyncio.TimeoutError:
                await self._socket.pong()  # the only way to learn that a connection has ended that nobody reads

    def _is_held_up(self) -> bool:
        """Whether every subscriber is behind, or one whose server skips for it what it cannot take."""
        full = [inbox for inbox in self._subscriptions.values() if inbox.full]
        if not full:
            return False
        return len(full) == len(self._subscriptions) or any(inbox.is_skipping for inbox in full)

    def made_room(self) -> None:
        """A subscriber took a payload."""
        self._room.set()

    def _receive(self, binary: bool, data: Any) -> None:
        try:
            message = self._decoder.receive(binary, data)
        except PeerError as error:
            self._refuse(error)
            return
        if message is INCOMPLETE:
            return
        id_ = message.get("id") if isinstance(message, dict) else None
        if not isinstance(id_, str):
            logger.warning("the server sent a message without an id")
        elif id_.startswith("publish:"):
            self._publish(id_[len("publish:") :].rpartition(":")[0], message)
        else:
            self._settle(id_, message)

    def _refuse(self, error: PeerError) -> None:
        """A message cannot be read. The call that it answers fails, if there is one; others are for the log."""
        answer = None if error.id is None else self._pending.get(error.id)
        if answer is None or answer.done():
            logger.warning("the server sent a message (%s) that is refused: %s", error.id, error.message)
        else:
            answer.set_exception(CallError(error.code, f"the server's response is refused: {error.message}"))

    def _settle(self, id_: str, message: dict[str, Any]) -> None:
        answer = self._pending.get(id_)
        error = message.get("error")
        if answer is None or answer.done():
            if error is not None:
                logger.warning("the server reports an error: %s", error)
        elif error is not None and not isinstance(error, dict):
            answer.set_exception(CallError(CLIENT_ERROR, f"the server sent an error that is no map: {shown(error)}"))
        elif error is not None:
            code, text = error.get("code"), error.get("message")
            answer.set_exception(
                CallError(code if isinstance(code, int) else CLIENT_ERROR, str(text), error.get("data"))
            )
        else:
            answer.set_result(message.get("result"))

    def _publish(self, topic: str, message: dict[str, Any]) -> None:
        payload = message.get("result")
        ids = message.get("subscriptions")
        if isinstance(ids, list):
            chosen = [self._subscriptions[id_] for id_ in ids if isinstance(id_, int) and id_ in self._subscriptions]
        else:  # a server without explicit subscriptions sends everything
            chosen = [subscription for subscription in self._subscriptions.values() if subscription.topic == topic]
        for inbox in chosen:
            if not inbox.put(payload):
                self.cancel_subscription(inbox)

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `coroutine` until it ends or the link does; what it raises is its awaiter's, if there is one."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._kept)
        return task

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


def _check_filter(filter: Any) -> None:
    if filter is not None and not isinstance(filter, Mapping):
        raise UsageError(f"a filter must be a mapping from tag names to conditions, not {type(filter).__name__}")
