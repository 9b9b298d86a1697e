"""Streams of a session's calls (STR), and whether more calls are accepted."""

from __future__ import annotations

from collections.abc import Sequence

from wslink.rpc.call import Caller
from wslink.rpc.streams import Streams
from wslink.session.acknowledgements import Acknowledgements
from wslink.session.cancellable import Cancellable
from wslink.session.client_calls import ClientCalls
from wslink.session.flow import FlowControl
from wslink.session.identity import Opening
from wslink.session.notices import MAX_UNREAD
from wslink.session.nowhere import Nowhere
from wslink.session.pace import Pace
from wslink.session.ports import Transport
from wslink.wire.codec import Decoder
from wslink.wire.extensions import ITEM, pack_extension
from wslink.wire.frames import Message
from wslink.wire.v2_msgpack import V2Decoder, V2Encoder
from wslink.wire.value import Value


class Streaming(Cancellable):
    """Adds streams to a session (rpc.streams.Port). Takes the arguments of Detachable."""

    acknowledgements: Acknowledgements | None
    calls: ClientCalls | None
    client: Caller | None
    flow: FlowControl | None
    streams: Streams | None
    _pace: Pace | None
    _transport: Transport
    __slots__ = ()

    def start_streams(self) -> None:
        """Allow streams from now on (STR)."""
        limits = self._owner.limits
        self.streams = Streams(self, limits.max_stream_window, limits.max_message)

    def take_stream(self, items: Sequence[Value]) -> None:
        """Handle a message of a stream. Raises InvalidRequest."""
        assert isinstance(self._decoder, V2Decoder)
        assert self.streams is not None
        self.streams.take(items, self._decoder.size)

    def has_many_calls(self) -> bool:
        """Whether no more calls are accepted because of the number of running ones. They are accepted while running
        calls wait for items from the client (TURN-2)."""
        return self._dispatcher.full and (self.streams is None or not self.streams.reading)

    def encoded_item(self, items: Sequence[Value]) -> Message:
        """A message of a stream. From any thread. Raises NotSerializable."""
        encoder = self.encoder
        assert isinstance(encoder, V2Encoder)
        return encoder.extension(items, self._max_frame)

    def send_item(self, items: Sequence[Value], lane: int | None, encoded: Message | None = None) -> None:
        """Send a message of a stream, after the waiting messages of its call. Raises NotSerializable."""
        message = self.encoded_item(items) if encoded is None else encoded
        if items[0] == ITEM and len(items) == 4:  # of a result
            for notify in self._owner.observers.streamed:
                notify(self, items[1], message)
        self.send(message, None, (items[1],), lane)

    def send_credit(self, items: Sequence[Value]) -> None:
        """Send a credit ahead of the queue. It is not repeated after a resumption (RES-2)."""
        if not self._send_now(pack_extension(items)):
            self.stalled(f"it sends items of streams, and has read none of {MAX_UNREAD} credits for them")

    def let_go(self) -> None:
        """The session has ended: refer to nothing that refers to it. So all of it is freed as soon as nobody else has
        it, and not by the garbage collector, which would stop everybody for that."""
        if not self._dispatcher.under_way:
            self._dispatcher.leave()
        self._transport = Nowhere()
        self._pace = self.client = None
        self.flow = self.acknowledgements = self.streams = self.calls = None

    def take_up(self, transport: Transport, decoder: Decoder, opening: Opening) -> None:
        """Continue over a new connection, after the client was notified (RES-6)."""
        super().take_up(transport, decoder, opening)
        if self.streams is not None:
            self.streams.renew()
