"""Moving a session to another process: what that process has to know (RES-12)."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from time import monotonic
from typing import Annotated, Any

import msgspec

from wslink.errors import INTERRUPTED
from wslink.session.entries import Entry
from wslink.session.identity import Identity
from wslink.session.numbering import LAST_NUMBER, Kept
from wslink.session.resumption import Resumption
from wslink.session.send_queue import BULK, OVERHEAD, URGENT, waiting
from wslink.session.state import DETACHED, OPEN
from wslink.session.streaming import Streaming
from wslink.session.tokens import digest
from wslink.session.window import DeliveryWindow
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.codec import Encoder, detect
from wslink.wire.frames import Frame, Message, Source
from wslink.wire.value import Value

MOVED = 4003
"""The close code of a connection whose session continues in another process. The client reconnects at once (RES-12)."""

Number = Annotated[int, msgspec.Meta(ge=0, le=LAST_NUMBER)]
Parts = tuple[bool, Annotated[int, msgspec.Meta(ge=0)], bytes]
"""An encoded message: whether it is dense, the size of its chunks (0: it is a single one), and its bytes."""
Lane = Annotated[int, msgspec.Meta(ge=URGENT, le=BULK)]


class Packed(msgspec.Struct):
    """A session packed by `Moving.pack_up`."""

    features: tuple[str, ...]
    epoch: str
    digests: frozenset[bytes]
    received: tuple[Number, frozenset[Number]]
    last: Number
    kept: list[tuple[Number, Parts, Value, list[int], bool]]
    windows: dict[int, Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(min_length=4)]]
    waiting: list[tuple[Lane, Parts, Value, list[Value], list[int] | None, tuple[list[int], Value] | None]]
    interrupted: list[str]


_encoder = msgspec.msgpack.Encoder()
_decoder = functools.cache(lambda: msgspec.msgpack.Decoder(Packed))  # which takes a while, and few need


class Moving(Streaming):
    """Adds to a session that it can move to another process. Takes the arguments of Streaming."""

    encoder: Encoder
    resumption: Resumption | None
    __slots__ = ()

    @property
    def busy(self) -> bool:
        """Whether calls of its client are running. They cannot move."""
        return self._dispatcher.under_way > 0

    @property
    def digests(self) -> list[bytes]:
        """The digests of its tokens."""
        resumption = self.resumption
        if resumption is None:
            return []
        return [*resumption.foreign, *(digest(one) for one in (resumption.token, resumption.previous) if one)]

    def pack_up(self) -> bytes | None:
        """Leave the connection, and return the state that another process needs to continue (see `unpack`); None if the
        session cannot move. Call `vacate` afterwards."""
        resumption = self.resumption
        if self.state is OPEN and resumption is not None:
            self._transport.close(MOVED, "the session has moved")
            self.detach()
        if self.state is not DETACHED or resumption is None or resumption.lost:
            return None
        windows: dict[int, DeliveryWindow] = self.flow.windows if self.flow is not None else {}
        numbers = {id(window): number for number, window in windows.items()}
        try:
            return _encoder.encode(
                {
                    "id": self.client_id,
                    "features": self.features,
                    "epoch": resumption.epoch,
                    "digests": self.digests,
                    "received": [resumption.received.last, sorted(resumption.received.missing)],
                    "last": resumption.last,
                    "kept": [[number, *_kept(kept, numbers)] for number, kept in resumption],
                    "windows": {number: window.pack_up() for number, window in windows.items()},
                    "waiting": [[lane, *_waits(entry, numbers)] for lane, entry in waiting(self.queue)],
                    "interrupted": self._dispatcher.ids,
                }
            )
        except (TypeError, OverflowError):  # the application's key cannot be encoded
            return None

    def vacate(self) -> None:
        """End the session here: it continues elsewhere."""
        self._owner.tokens.release(self.digests)
        self._end()

    def move_in(self, packed: Packed, identity: Identity) -> None:
        """Continue from the state that `unpack` returned, on a new session, without a connection until the client
        returns."""
        limits = self._owner.limits
        self.encoder, self._decoder = detect(True, limits)
        self.resumption = self.queue.numbers = found = Resumption(
            limits.max_resume, limits.max_partial, self._owner.backlog
        )
        found.epoch, found.token, found.foreign = packed.epoch, "", packed.digests
        found.received.last, missing = packed.received
        found.received.missing.update(missing)
        self.open(packed.features, identity)
        if self.state is OPEN:
            self.detach()

    def unload(self, packed: Packed) -> None:
        """Keep and queue the messages that were kept and queued in the previous process. The subscriptions have been
        restored already."""
        flow, resumption = self.flow, self.resumption
        assert resumption is not None
        if flow is not None:
            for number, window in packed.windows.items():
                if number in flow.windows:
                    flow.windows[number].restore(monotonic(), window)
        kept = {number: self._kept_again(*how) for number, *how in packed.kept if 0 < number <= packed.last}
        resumption.restore(packed.last, kept)
        for lane, parts, key, names, gates, about in packed.waiting:
            message, keyed, named = _message(parts), _plain(key), tuple(map(_plain, names))
            if gates is None or about is None:
                self._put(Entry(message, keyed, named), lane)
            else:
                ids, tags = about
                self.send_within(message, keyed, named, self._gates(gates), None, (tuple(ids), tags), lane)
        for id_ in packed.interrupted:
            self.error(id_, INTERRUPTED, "the call was under way when its session moved to another worker")

    def _kept_again(self, parts: Any, key: Any, gates: Sequence[int], shared: bool) -> Kept[Message]:
        """Restore what `_kept` returned."""
        message = _message(parts)
        return Kept(message, message.size + OVERHEAD, _plain(key), self._gates(gates), shared, True)

    def _gates(self, numbers: Sequence[int] | None) -> tuple[DeliveryWindow, ...]:
        return self.flow.gates(tuple(numbers)) if self.flow is not None and numbers else ()

    def open(self, features: tuple[str, ...], identity: Identity) -> None:
        """The client has authenticated."""
        raise NotImplementedError


def unpack(packed: bytes) -> Packed:
    """Decode what `pack_up` returned. Raises msgspec.DecodeError."""
    return _decoder().decode(packed)


def _kept(kept: Kept[Message], numbers: Mapping[int, int]) -> list[Value]:
    return [_parts(kept.message), _listed(kept.key), _numbers(kept.gates, numbers), kept.shared]


def _waits(entry: Entry, numbers: Mapping[int, int]) -> list[Value]:
    gates = _numbers(entry.gates, numbers) if isinstance(entry.about, tuple) else None
    names = [_listed(name) for name in entry.names]
    return [_parts(entry.message), _listed(entry.key), names, gates, entry.about if gates is not None else None]


def _numbers(gates: Sequence[object], numbers: Mapping[int, int]) -> list[Value]:
    """Represent windows by the numbers of their subscriptions; those of ended subscriptions are open, and left out."""
    return [numbers[id(gate)] for gate in gates if id(gate) in numbers]


def _parts(message: Message) -> list[Value]:
    source = message.source
    if source is None:
        frame = message.frames[0]
        return [frame.dense, 0, bytes(frame.joined())]
    return [source.dense, source.max_frame, b"".join(source.parts)]


def _message(parts: Parts) -> Message:
    dense, max_frame, data = parts
    if not max_frame:
        return Message((Frame(True, (data,), len(data), dense),), len(data))
    source = Source((data,), len(data), dense, max_frame)
    return Message((), HEADER_LENGTH + len(data), source)


def _listed(value: Hashable) -> Value:
    """A key or a name as it is encoded. Tuples are decoded as lists; see `_plain`."""
    result: Value = value
    return result


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list) else value
