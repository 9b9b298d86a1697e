"""Link: the client's end of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType

from wslink.client.calling import Calling, Options
from wslink.client.calls import OutgoingCall
from wslink.client.connections import Connections, Dialing
from wslink.client.events import Events, LinkState, OnReconnected, OnState
from wslink.client.handlers import Handlers, OnProgress
from wslink.client.handling import Handling
from wslink.client.session import ClientSession
from wslink.client.streaming import Reading, StreamingCalls
from wslink.client.subscribing import Subscribing, check_subscription
from wslink.client.subscription import ClientSubscription, Inbox
from wslink.client.subscriptions import Subscriptions
from wslink.client.transfers import OnTransfer
from wslink.errors import ConnectionClosed
from wslink.rpc.redefinition import add_handler
from wslink.waiting import within
from wslink.wire.frames import Buffer
from wslink.wire.limits import Limits
from wslink.wire.value import Value

KEEP_ALIVE = 1.0
"""Seconds between signs of life while reading is paused for a slow subscriber: what the fastest heartbeat needs."""

_kept_by: ContextVar[Link | None] = ContextVar("kept_by", default=None)
"""The link whose callback or handler runs."""


class Link(Reading, Handling):
    """An authenticated connection to a server, which reconnects when it is lost. Created by `connect`. As an async
    context manager, it closes on exit."""

    def __init__(self, dialing: Dialing, limits: Limits, make_session: type[ClientSession] = ClientSession) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._events = Events(self.keep)
        lost = None if dialing.backoff is None else self._lost
        super().__init__(Handlers(self, limits))
        self._session = make_session(limits, self._publish, self._renew, lost, self._handlers)
        self.streaming_calls: StreamingCalls = self._session
        self._subscriptions = Subscriptions(self._session.settle)
        self._subscribing = Subscribing(self, self._session, self._subscriptions)
        self._connections = Connections(dialing, self._session, self._take, self._events, self._finish)

    async def open(self) -> None:
        """Connect and authenticate. Raises AuthenticationError, ConnectionClosed."""
        await self._connections.open()

    @property
    def client_id(self) -> str:
        """The client's id, the same as `Call.client_id` at the server. It changes when a session is not resumed."""
        return self._session.welcome.client_id

    @property
    def server(self) -> dict[str, Value]:
        """The server's {"name", "version"}; {} for released servers."""
        return self._session.welcome.server

    @property
    def features(self) -> tuple[str, ...]:
        """The protocol extensions in use."""
        return self._session.welcome.features

    @property
    def state(self) -> LinkState:
        """ "open"; "reconnecting" while there is no connection; "closing" from `close` until the server has closed,
        too; "closed"."""
        return self._connections.state

    @property
    def epoch(self) -> str:
        """A value that changes whenever the server has lost the state that it kept for this client: everything that was
        read before has to be read again."""
        return self._session.epoch

    def on_statechange(self, callback: OnState) -> OnState:
        """Call `callback(state)`, sync or async, when `state` has changed. Usable as a decorator."""
        add_handler(self._events.state, callback)
        return callback

    def on_reconnected(self, callback: OnReconnected) -> OnReconnected:
        """Call `callback(reconnected)`, sync or async, when the link has reconnected; see Reconnected. Usable as a
        decorator."""
        add_handler(self._events.reconnected, callback)
        return callback

    # Calls ------------------------------------------------------------------

    async def call(self, method: str, /, *args: Value, **kwargs: Value) -> Value:
        """Call `method` and return its result. Use `asyncio.timeout` to bound the wait; the server then cancels the
        call. While the link is reconnecting, calls wait for the connection.

        Arguments may contain bytes and NumPy arrays at any depth. An async iterable is sent item by item, as fast as
        the method reads it, if the method accepts a stream there.

        Raises:
            CallError: the server responded with an error.
            ConnectionClosed: the link is closed, or is closed before the response arrives; or the connection was lost,
                and it is not known whether the server received the call.
            NotSerializable: an argument cannot be encoded.
        """
        return await self.perform(method, args, kwargs)

    def with_options(
        self, *, on_transfer: OnTransfer | None = None, on_progress: OnProgress | None = None, retry: bool = False
    ) -> Calling:
        """Set options of calls: `link.with_options(on_transfer=show).call(method, ...)`. They are not arguments of
        `call`, whose keywords all belong to the method. Raises UsageError for a callback that cannot be called.

        Args:
            on_transfer: called with a `Transfer` for each chunk of the call that has been sent, and each chunk of the
                response that has arrived: several times a second for large messages, once for small ones.
            on_progress: called with the progress that the method reports, in order, and never after the response. Of
                several values that wait, only the newest arrives.
            retry: retry the call if the connection was lost and it is not known whether the server received it. The
                method may then run twice.
        """
        return Calling(self, Options(on_transfer, retry, on_progress))

    async def perform(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        on_transfer: OnTransfer | None = None,
        retry: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Value:
        """Like `call`, with options; see `with_options`."""
        if self._connections.ended is not None:
            self.refuse_if_ended()
        call = self._session.call(method, args, kwargs, on_progress)
        if retry:
            self._session.retry(call)
        return await self.result(call, on_transfer)

    async def result(self, call: OutgoingCall, on_transfer: OnTransfer | None = None) -> Value:
        """Send a call and wait for its result. Raises CallError, ConnectionClosed."""
        self._subscriptions.room.set()  # a response must be read past a full subscription
        session, socket, entry = self._session, self._connections.socket, None
        outbox = session.outbox
        try:
            if on_transfer is None and socket is not None and not socket.behind and outbox.takes(call.message):
                frames = call.message.frames if outbox.sent is None else outbox.sent.numbered(call.message)
                try:  # noqa: SIM105 - which would be three functions more
                    await socket.write(frames[0])
                except ConnectionError:
                    pass  # the reader notices the end, too
            else:
                entry = session.post(call, on_transfer)
            return await call.result
        finally:
            session.over(call, entry)

    def leave(self) -> None:
        """Close the link soon."""
        self.keep(self.close())

    def refuse_if_ended(self) -> None:
        """Raise ConnectionClosed if no more calls can be made."""
        ended = self._connections.ended
        if ended is not None:
            raise ConnectionClosed(ended.code, ended.reason)

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
        """Subscribe to a topic, before calls that are made later; iterate over the result.

        Args:
            topic: its name.
            filter: only publications with matching tags: a mapping from tag names to a value, a list of values, or a
                mapping with any of gte, gt, lte, lt, ne.
            buffer: payloads that may wait for a slow subscriber before the link stops reading.
            window: publications of a "latest" topic that may be in flight or with the subscriber, from 1 to 1024; by
                default it adapts to the line and the subscriber. It has no effect if the server does not support the
                feature "flow".
            max_rate: publications of a "latest" topic per second, from 0.001 to 1000; by default there is no limit.
        """
        check_subscription(filter, buffer, window, max_rate)
        inbox = self._subscriptions.add(topic, filter, buffer, window, max_rate)
        self._subscribing.begin(inbox)
        return ClientSubscription(self, inbox)

    async def update_subscription(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        """See ClientSubscription.update."""
        await self._subscribing.update(inbox, filter)

    def cancel_subscription(self, inbox: Inbox) -> asyncio.Task[None]:
        """See ClientSubscription.cancel."""
        return self._subscribing.cancel(inbox)

    def abandon_subscription(self, inbox: Inbox) -> None:
        """Cancel a subscription whose subscriber has gone, after notifying those that wait for `ready`."""
        inbox.ready.add_done_callback(lambda _: self.cancel_subscription(inbox))

    # End ------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection. Pending calls raise ConnectionClosed, and iterations stop. Safe to call more than
        once."""
        await self._connections.close()
        if _kept_by.get() is not self:  # otherwise it would wait for itself
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_closed(self) -> ConnectionClosed:
        """Wait until the link is closed for good. Returns how its last connection ended."""
        return await self._connections.wait_closed()

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _finish(self, end: ConnectionClosed, asked: bool) -> None:
        self._subscriptions.end(None if asked else end, end)
        self._session.end(end)

    # Reading ----------------------------------------------------------------------

    async def _take(self, binary: bool, data: Buffer | str) -> None:
        if self._connections.ended is None:  # else it comes while the connection is being closed, for nobody
            self._session.receive(binary, data)
        if self._subscriptions.any_full:
            await self._wait_for_room()

    def _renew(self) -> list[OutgoingCall]:
        return self._subscribing.renew()

    def _lost(self) -> None:
        self._connections.give_up()

    def _publish(self, topic: str, message: Mapping[str, Value]) -> None:
        for inbox in self._subscriptions.publish(topic, message):
            self.cancel_subscription(inbox)

    async def _wait_for_room(self) -> None:
        """Stop reading while a subscriber is behind, unless that would delay anything else.

        Raises:
            ConnectionError: the connection has ended in the meantime.
        """
        subscriptions, connections = self._subscriptions, self._connections
        await asyncio.sleep(0)  # subscribers that are not behind take their payloads now
        while connections.socket is not None and not self._session.pending and subscriptions.held_up:
            subscriptions.room.clear()
            try:
                await within(subscriptions.room.wait(), KEEP_ALIVE)
            except asyncio.TimeoutError:
                self._session.heard()
                await connections.socket.keep_alive()
        self._session.heard()

    def made_room(self) -> None:
        """A subscriber has taken a payload."""
        self._subscriptions.room.set()

    def keep(self, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
        """Run `coroutine` until it ends or the link does. Its exception, if any, goes to whoever awaits it."""
        task = _task_of(self, coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._kept)
        return task

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


def _task_of(link: Link, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
    """Create a task that knows that it belongs to the link, like the tasks that it starts."""
    token = _kept_by.set(link)
    try:
        return asyncio.get_running_loop().create_task(coroutine)
    finally:
        _kept_by.reset(token)
