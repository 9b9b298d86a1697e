"""The client's end of a connection, as its user sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType

from wslink.client.calling import Calling
from wslink.client.session import ClientSession, OutgoingCall
from wslink.client.socket import Socket
from wslink.client.subscription import MAX_RATE, MAX_WINDOW, MIN_RATE, ClientSubscription, Inbox
from wslink.client.subscriptions import Subscriptions
from wslink.client.transfers import OnTransfer
from wslink.errors import (
    AUTHENTICATION_ERROR,
    CLIENT_ERROR,
    AuthenticationError,
    CallError,
    ConnectionClosed,
    LinkError,
    NotSerializable,
    UsageError,
)
from wslink.session.features.flow import FLOW
from wslink.wire import messages as wire
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import Limits
from wslink.wire.value import Value

KEEP_ALIVE = 1.0
"""Seconds between signs of life while reading is paused for a slow subscriber: what the fastest heartbeat needs."""


class Link:
    """An open, authenticated connection to a server. Made by `connect`; usable as an async context manager, which
    closes it.
    """

    def __init__(self, socket: Socket, limits: Limits) -> None:
        self._socket = socket
        self._session = ClientSession(limits, self._publish, socket)
        socket.resume = self._session.outbox.resume
        self._subscriptions = Subscriptions(self._session.settle)
        self._ended: ConnectionClosed | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @property
    def client_id(self) -> str:
        """The id that the server gave, as it stands in `Call.client_id`."""
        return self._session.client_id

    @property
    def server(self) -> dict[str, Value]:
        """What the server says of itself: {"name", "version"}; {} for released servers."""
        return self._session.server

    @property
    def features(self) -> tuple[str, ...]:
        """The extensions that the server accepted."""
        return self._session.features

    # Calls ------------------------------------------------------------------

    async def call(self, method: str, /, *args: Value, **kwargs: Value) -> Value:
        """Call `method` and return its result. `asyncio.timeout` bounds the wait: it has the server cancel the call.

        Arguments may hold bytes and NumPy arrays anywhere.

        Raises:
            CallError: the server answered with an error.
            ConnectionClosed: the connection is closed, or closed before the response.
            NotSerializable: an argument cannot be sent.
        """
        return await self._call(method, args, kwargs)

    def with_options(self, *, on_transfer: OnTransfer | None = None) -> Calling:
        """Call with options: `link.with_options(on_transfer=show).call(method, ...)`. They cannot stand beside the
        arguments, all of whose names are the method's.

        Args:
            on_transfer: called with a `Transfer` for each chunk of the call that was sent, and of the response that
                has arrived: several times a second where they are large, and once each where they are small.
        """
        return Calling(lambda method, args, kwargs: self._call(method, args, kwargs, on_transfer))

    async def _call(
        self, method: str, args: Sequence[Value], kwargs: dict[str, Value], on_transfer: OnTransfer | None = None
    ) -> Value:
        self._refuse_if_ended()
        return await self._result(self._session.call(method, args, kwargs), on_transfer)

    async def hello(self, secret: str | None) -> None:
        """Authenticate (HELLO-1, EXT-1). Raises AuthenticationError, ConnectionClosed."""
        self._refuse_if_ended()
        try:
            await self._result(self._session.hello(secret))
        except CallError as error:
            if error.code != AUTHENTICATION_ERROR:
                raise ConnectionClosed(1006, f"the server did not take hello: {error}") from error
            why = "the server refused the secret" if secret is not None else "the server wants a secret"
            raise AuthenticationError(f"{error.message}: {why}; connect(url, secret=...)") from error

    async def _system(self, method: str, argument: Mapping[str, Value]) -> Value:
        self._refuse_if_ended()
        return await self._result(self._session.system(method, argument))

    async def _result(self, call: OutgoingCall, on_transfer: OnTransfer | None = None) -> Value:
        """Send a call and wait for its result."""
        self._subscriptions.room.set()  # a response must be read past a full subscription
        session, entry = self._session, None
        try:
            if on_transfer is None and session.outbox.takes(call.message):
                await self._write(call.message)
            else:
                entry = session.post(call, on_transfer)
            return await call.result
        finally:
            session.over(call, entry)

    async def _write(self, message: Message) -> None:
        """Write a small message."""
        try:
            await self._socket.write(message.frames[0])
        except ConnectionError as error:
            end = self._ended or ConnectionClosed(1006, str(error))
            raise ConnectionClosed(end.code, end.reason) from error

    def _refuse_if_ended(self) -> None:
        if self._ended is not None:
            raise ConnectionClosed(self._ended.code, self._ended.reason)

    # Subscriptions ------------------------------------------------------------

    def subscribe(
        self,
        topic: str,
        *,
        filter: Mapping[str, Value] | None = None,
        buffer: int = 32,
        window: int | None = None,
        max_rate: float | None = None,
    ) -> ClientSubscription:
        """Subscribe to a topic; iterate over what is returned.

        Args:
            topic: its name.
            filter: only publications whose tags match; a mapping from tag names to a value, a list of values, or a
                mapping with any of gte, gt, lte, lt, ne.
            buffer: payloads that may wait for a slow subscriber before the link stops reading.
            window: publications of a "latest" topic that may be on their way or with the subscriber, from 1 to 1024;
                unless given, it follows the line and the subscriber. A server that did not accept the feature "flow"
                knows none.
            max_rate: publications of a "latest" topic per second, from 0.001 to 1000; as many as there are unless
                given.
        """
        _check_subscription(filter, buffer, window, max_rate)
        inbox = self._subscriptions.add(topic, buffer, window, max_rate)
        self._keep(self._subscribe(inbox, filter))
        return ClientSubscription(self, inbox)

    async def _subscribe(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        try:
            await self._announce(inbox, filter)
        except (LinkError, NotSerializable) as error:
            self._subscriptions.remove(inbox)
            inbox.end(error)
        else:
            if not inbox.ready.done():
                inbox.ready.set_result(None)

    async def _announce(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        if wire.SUBSCRIPTIONS in self.features:
            request = {"subscription": inbox.id, "topic": inbox.topic, "filter": dict(filter or {}), **inbox.pace}
            answer = await self._system(wire.SUBSCRIBE, request)
            inbox.latest = isinstance(answer, dict) and answer.get("delivery") == "latest"
            inbox.windowed = inbox.latest and FLOW in self.features
        elif filter:
            raise CallError(CLIENT_ERROR, "this server has no filters: it did not accept the feature 'subscribe'")

    async def update_subscription(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        """See ClientSubscription.update."""
        _check_filter(filter)
        if inbox not in self._subscriptions:
            raise UsageError(f"the subscription to {inbox.topic} has ended")
        await self._announce(inbox, filter)

    def cancel_subscription(self, inbox: Inbox) -> asyncio.Task[None]:
        """See ClientSubscription.cancel."""
        inbox.end(None)
        return self._keep(self._unsubscribe(inbox))

    def abandon_subscription(self, inbox: Inbox) -> None:
        """Cancel a subscription whose subscriber has gone, once whoever still waits for `ready` knows."""
        inbox.ready.add_done_callback(lambda _: self.cancel_subscription(inbox))

    async def _unsubscribe(self, inbox: Inbox) -> None:
        known = self._subscriptions.remove(inbox)
        if known and wire.SUBSCRIPTIONS in self.features and self._ended is None:
            with contextlib.suppress(CallError, ConnectionClosed):
                await self._system(wire.UNSUBSCRIBE, {"subscription": inbox.id})

    # End ------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection; pending calls raise ConnectionClosed, iterations stop. Safe to call more than once."""
        self._finish(ConnectionClosed(1000, "closed by this side"), orderly=True)
        await self._socket.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, *self._tasks, return_exceptions=True)
        await self._socket.release()

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
        if self._ended is None:
            self._ended = end
            self._subscriptions.end(None if orderly else end, end)
            self._session.end(end)

    # Reading ----------------------------------------------------------------------

    async def _read(self) -> None:
        end = ConnectionClosed(1006, "the connection was lost")
        try:
            end = await self._socket.read(self._take)
        finally:
            self._finish(end)
            await self._socket.release()

    async def _take(self, binary: bool, data: Buffer | str) -> None:
        self._session.receive(binary, data)
        await self._wait_for_room()

    def _publish(self, topic: str, message: Mapping[str, Value]) -> None:
        for inbox in self._subscriptions.publish(topic, message):
            self.cancel_subscription(inbox)

    async def _wait_for_room(self) -> None:
        """Stop reading while a subscriber is behind, unless that holds up anybody else.

        Raises:
            ConnectionError: the connection has ended meanwhile.
        """
        subscriptions = self._subscriptions
        if subscriptions.any_full:
            await asyncio.sleep(0)  # a subscriber that is not behind takes now what waits for it
        while self._ended is None and not self._session.pending and subscriptions.held_up:
            subscriptions.room.clear()
            try:
                await asyncio.wait_for(subscriptions.room.wait(), KEEP_ALIVE)
            except asyncio.TimeoutError:
                await self._socket.keep_alive()

    def made_room(self) -> None:
        """A subscriber took a payload."""
        self._subscriptions.room.set()

    def _keep(self, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
        """Run `coroutine` until it ends or the link does; what it raises is its awaiter's, if there is one."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._kept)
        return task

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


def _check_subscription(filter: Value, buffer: int, window: int | None = None, max_rate: float | None = None) -> None:
    """Raise UsageError for what no server would take (FLOW-6)."""
    _check_filter(filter)
    if buffer < 1:
        raise UsageError("buffer must be at least 1")
    if window is not None and not 1 <= window <= MAX_WINDOW:
        raise UsageError(f"window must be from 1 to {MAX_WINDOW}")
    if max_rate is not None and not MIN_RATE <= max_rate <= MAX_RATE:
        raise UsageError(f"max_rate must be from {MIN_RATE} to {MAX_RATE} publications per second")


def _check_filter(filter: Value) -> None:
    if filter is not None and not isinstance(filter, Mapping):
        raise UsageError(f"a filter must be a mapping from tag names to conditions, not {type(filter).__name__}")
