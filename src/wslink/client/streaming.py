"""Streams of a client's calls: results that are read, and arguments that are sent (STR)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import suppress

from wslink.client.calls import PROGRESS_WANTED, Calls, OutgoingCall
from wslink.client.handlers import OnProgress
from wslink.client.transfers import OnTransfer
from wslink.errors import CLIENT_ERROR, EXCEPTION_ERROR, CallError, NotSerializable, PeerError, UsageError
from wslink.rpc.streaming import feed
from wslink.rpc.streams import Inlet, Outlet, Streams
from wslink.wire import messages as wire
from wslink.wire.extensions import pack_extension, stream_key
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.show import shown
from wslink.wire.v2_msgpack import NO_OPTIONS, Option
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

WINDOW = 16
"""Items of a stream that may be on their way or wait for their reader, unless it chose another number."""
Items = AsyncGenerator[Value, None]


class StreamingCalls(Calls):
    """Adds streams to the calls of one client (rpc.streams.Port). Takes the arguments of Calls.

    Attributes:
        streams: the streams of running calls.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.streams: Streams = Streams(self, limits.max_stream_window, limits.max_message)
        self._feeding: dict[str, list[asyncio.Task[None]]] = {}

    # What its streams send to

    def encoded_item(self, items: Sequence[Value]) -> Message:
        return self._encoder.extension(items, self.welcome.max_frame)

    def send_item(self, items: Sequence[Value], lane: int | None, encoded: Message | None = None) -> None:
        self.outbox.post(self.encoded_item(items) if encoded is None else encoded)

    def send_credit(self, items: Sequence[Value]) -> None:
        self.outbox.notify(pack_extension(items))

    @property
    def has_room(self) -> bool:
        return self.outbox.has_room

    async def room_again(self) -> None:
        await self.outbox.room_again()

    # Calls

    def call(
        self, method: str, args: Sequence[Value], kwargs: dict[str, Value], on_progress: OnProgress | None = None
    ) -> OutgoingCall:
        """Create a call. Arguments that are async iterables are sent as streams. Raises NotSerializable."""
        try:
            return super().call(method, args, kwargs, on_progress)
        except NotSerializable:
            sources: list[AsyncIterable[Value]] = []
            lifted = [_lift(value, sources) for value in args], {k: _lift(v, sources) for k, v in kwargs.items()}
            if not sources:
                raise
        self._check()
        call = super().call(method, *lifted, on_progress)
        self._feed(call, sources)
        return call

    def read(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        window: int,
        on_progress: OnProgress | None = None,
    ) -> tuple[OutgoingCall, Inlet]:
        """Create a call whose result is a stream. Raises NotSerializable, CallError."""
        self._check()
        sources: list[AsyncIterable[Value]] = []
        lifted = [_lift(value, sources) for value in args], {k: _lift(v, sources) for k, v in kwargs.items()}
        id_ = f"rpc:{self.welcome.client_id}:{next(self._numbers)}"
        asks: Mapping[str, Option] = NO_OPTIONS if on_progress is None else PROGRESS_WANTED
        call = self._call(id_, method, *lifted, {**asks, "stream": window})
        if on_progress is not None:
            self.on_progress[id_] = on_progress
        self._feed(call, sources)
        return call, self.streams.of(id_).inlet(None, window)

    def _check(self) -> None:
        if wire.STREAM not in self.welcome.features:
            raise CallError(CLIENT_ERROR, "this server knows no streams: it did not accept the feature 'stream'")

    def _feed(self, call: OutgoingCall, sources: Sequence[AsyncIterable[Value]]) -> None:
        streams = self.streams.of(call.id)
        loop = asyncio.get_running_loop()
        self._feeding[call.id] = [
            loop.create_task(_send(source, streams.outlet(key), call.result)) for key, source in enumerate(sources)
        ]

    def retry(self, call: OutgoingCall) -> None:
        """See Calls.retry. Items that a stream has sent cannot be sent again."""
        if call.id not in self._feeding:
            super().retry(call)

    def over(self, call: OutgoingCall, entry: Value) -> None:
        """See Calls.over."""
        super().over(call, entry)
        if call.id in self._feeding:
            for task in self._feeding.pop(call.id):
                task.cancel()
            self.streams.of(call.id).forget()

    def take_stream(self, items: Sequence[Value], size: int) -> None:
        """Handle a message of a stream, of `size` bytes."""
        try:
            self.streams.take(items, size)
        except PeerError as error:
            logger.warning("the server sent a message of a stream that is refused: %s", error.message)


def _lift(value: Value, sources: list[AsyncIterable[Value]]) -> Value:
    """Return the representation of an argument that is a stream, which is added to `sources`; any other argument
    unchanged."""
    if not isinstance(value, AsyncIterable):
        return value
    sources.append(value)
    return stream_key(len(sources) - 1)


async def _send(source: AsyncIterable[Value], outlet: Outlet, result: asyncio.Future[Value]) -> None:
    """Send an argument to its end. The server and the caller are notified of errors."""
    try:
        await feed(source, outlet)
        outlet.end()
    except Exception as error:
        with suppress(NotSerializable):
            outlet.end({"code": EXCEPTION_ERROR, "message": shown(str(error))})
        if not result.done():
            result.set_exception(error)


def check_window(window: int) -> None:
    """Raise UsageError for a window that no server would accept (STR-1)."""
    if type(window) is not int or not 1 <= window < 2**32:
        raise UsageError(f"window is {window!r}: a number of items, from 1 to the server's max_stream_window")


class Reading:
    """The part of a link that concerns streamed results.

    Attributes:
        streaming_calls: makes the calls.
    """

    streaming_calls: StreamingCalls

    def refuse_if_ended(self) -> None:
        raise NotImplementedError

    async def result(self, call: OutgoingCall, on_transfer: OnTransfer | None = None) -> Value:
        raise NotImplementedError

    def stream(self, method: str, /, *args: Value, window: int = WINDOW, **kwargs: Value) -> Items:
        """Call a method whose result is a stream: `async for part in link.stream("mesh.refine", 3)`. The call is made
        when the first item is requested. Leaving the loop, `aclose` and cancellation stop the method.

        Args:
            window: items that may be in flight or wait here, from 1 to the server's `max_stream_window` (1,024). If the
                method has an argument of this name, pass it by position.

        Raises:
            CallError: the server responded with an error, after the preceding items; or it does not support streams.
            ConnectionClosed, NotSerializable: see `call`.
            UsageError: the window is not a number, 1 or more.
        """
        check_window(window)
        return self.items(method, args, kwargs, window)

    async def _result(self, call: OutgoingCall) -> Exception | None:
        """Convert the response to a call for a stream."""
        try:
            await self.result(call)
        except Exception as error:
            return error
        return None

    async def items(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        window: int,
        on_progress: OnProgress | None = None,
    ) -> Items:
        """See `stream`."""
        self.refuse_if_ended()
        call, inlet = self.streaming_calls.read(method, args, kwargs, window, on_progress)
        response = asyncio.get_running_loop().create_task(self._result(call))
        response.add_done_callback(lambda done: inlet.stop(None if done.cancelled() else done.result()))
        await asyncio.sleep(0)  # it has begun, and so ends the call
        try:
            async for item in inlet:
                yield item
        finally:
            inlet.close()
            response.cancel()
            await asyncio.wait({response})
