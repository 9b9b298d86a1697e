"""Messages that may have to be sent again, kept by number until the peer has received them (RES-2, RES-4, RES-6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

from wslink.session.entries import Entry
from wslink.session.numbering import Kept, Unacknowledged
from wslink.session.send_queue import OVERHEAD, Holder, Ledger, SendQueue
from wslink.wire.chunks import ENDED, NUMBER_LENGTH, pack_number, renumbered
from wslink.wire.frames import Frame, Message

SMALL = 512
"""The size in bytes up to which a message counts only `OVERHEAD`, which is twice the cost of keeping such a message."""
UNCOUNTED = 64
"""Messages that may be kept before they are counted."""
LOOK_AFTER = UNCOUNTED * OVERHEAD
"""Additional bytes that may be kept before the bound for all clients is checked."""
MUCH = 1024 * 1024
"""Kept bytes above which a session is one of those that share the bound for all clients."""


class Uncounted:
    """A ledger that counts nothing (session.send_queue.Ledger)."""

    __slots__ = ("keepers", "kept")
    kept_share: int = 1 << 60

    def __init__(self) -> None:
        self.kept: int = 0
        self.keepers: int = 0

    def add(self, message: Message) -> None: ...

    def remove(self, message: Message) -> None: ...

    def look(self) -> None: ...

    def hold(self, holder: Holder) -> None: ...

    def release(self, holder: Holder) -> None: ...


def _weight(size: int) -> int:
    """What a message counts of which only the bytes are kept."""
    return OVERHEAD + max(size - SMALL, 0)


class Repeatable(Unacknowledged[Message]):
    """The messages of one direction of a session. Small ones all count the same, so they need not be counted at once:
    each is on the path of a call.

    Args:
        limit: bytes that are kept (RES-4).
        ledger: counts what is kept (LIM-6, `max_server_backlog`; LIM-18, `max_server_resume`).

    Attributes:
        keep: keeps the bytes of a message that is a single chunk, is sent at once, and was assigned the number `last`.
            If it is larger than `SMALL`, or its number is at least `look_at`, call `look` afterwards.
        look_at: the first number with which the bound might be exceeded.
        lost: the highest number that is not kept although the peer may not have it; 0 if there is none.
    """

    last: int
    __slots__ = ("_counted", "_ledger", "_limit", "_look_above", "_mixed", "_much", "keep", "look_at", "lost")

    def __init__(self, limit: int, ledger: Ledger) -> None:
        super().__init__()
        self._limit = limit
        self._ledger = ledger
        self._mixed = False  # whether anything but small messages may be kept
        self._counted = 0  # the last number that is included in `_size`
        self._look_above = min(LOOK_AFTER, limit)
        self._much = False  # whether it is one of those that keep much
        self.keep: Callable[[bytes], None] = self._kept.append
        self.look_at: int = 0
        self.lost: int = 0

    @property
    def size(self) -> int:
        self._count()
        return self._size

    def look(self, size: int = 0) -> None:
        """Enforce the bound on what is kept. `size` is that of the message that was kept last."""
        self._count()
        if size > SMALL:
            self._mixed = True
            self._size += size - SMALL
            self._ledger.kept += size - SMALL
        if self._size > self._limit:
            self.give_up()
        elif self._size > self._look_above:
            self._look_above = min(self._size + LOOK_AFTER, self._limit)
            self._look_how_much()
            if self._size > self._ledger.kept_share:
                self.give_up()
            else:
                self._ledger.look()

    def _look_how_much(self) -> None:
        much = self._size > MUCH
        self._ledger.keepers += much - self._much
        self._much = much

    def _count(self) -> None:
        """Count what has been kept since the last time."""
        size = (self.last - self._counted) * OVERHEAD
        self._counted = self.last
        self._size += size
        self._ledger.kept += size
        self.look_at = self.last + 1 + min(max(self._limit - self._size, 0) // OVERHEAD, UNCOUNTED)

    def numbered(self, message: Message, key: Hashable = None) -> Sequence[Frame]:
        """Keep a message that is a single chunk and is sent at once, and return it with its number."""
        chunk = message.frames[0]
        if key is None and not chunk.dense and len(chunk.parts) == 1 and type(chunk.parts[0]) is bytes:
            self.last = number = self.last + 1
            self.keep(chunk.parts[0])
            if chunk.size > SMALL or number >= self.look_at:
                self.look(chunk.size)
            return (Frame(True, (pack_number(number) + chunk.parts[0][NUMBER_LENGTH:],), chunk.size, chunk.dense),)
        size = message.size + OVERHEAD
        self._ledger.kept += size
        return renumbered(message.frames, self._keep(Kept(message, size, key)))

    def begin(self, entry: Entry) -> int:
        """Keep a message that begins to be sent, and return its number."""
        self._ledger.add(entry.message)
        return self._keep(Kept(entry.message, entry.message.size + OVERHEAD, entry.key, entry.gates, True))

    def _keep(self, kept: Kept[Message]) -> int:
        """Keep a message with its metadata, and return its number."""
        if self._counted != self.last:
            self._count()
        self._counted = self.last = number = self.last + 1
        self._kept.append(kept)
        self._mixed = True
        self._size += kept.size
        self.look_at -= kept.size // OVERHEAD
        if self._size > self._look_above:
            self.look()
        return number

    def _whole(self, kept: bytes | Kept[Message]) -> Kept[Message]:
        if not isinstance(kept, bytes):
            return kept
        size = len(kept)
        return Kept(Message((Frame(True, (kept,), size, False),), size), _weight(size), None)

    def end(self, number: int) -> None:
        """A message was aborted: only the chunk that says so is sent again (CAN-3)."""
        if self._keeps(number):
            self.replace(number, ENDED, ENDED.size + OVERHEAD)

    def acknowledge(self, received: int, missing: Collection[int] = ()) -> None:
        if missing or self._held or self._mixed or received > self.last:
            self._count()
            super().acknowledge(received, missing)
        else:  # the usual case: recount what is left
            del self._kept[: max(received - self.last + len(self._kept), 0)]
            size = len(self._kept) * OVERHEAD
            self._ledger.kept += size - self._size
            self._size, self._counted = size, self.last
        self._look_above = min(self._size + LOOK_AFTER, self._limit)
        if self._much:
            self._look_how_much()
        if self.lost and self.lost <= received <= self.last and all(number > self.lost for number in missing):
            self.lost = 0

    def _drop(self, gone: Collection[bytes | Kept[Message]]) -> None:
        self._mixed = bool(self._kept or self._held)
        size = 0
        for kept in gone:
            if isinstance(kept, bytes):
                size += OVERHEAD if len(kept) <= SMALL else _weight(len(kept))
            elif kept.shared:
                self._size -= kept.size
                self._ledger.remove(kept.message)
            else:
                size += kept.size
        self._size -= size
        self._ledger.kept -= size

    def replace(self, number: int, message: Message, size: int) -> None:
        self._count()
        kept = self._whole(self._held[number] if number in self._held else self._kept[number - self._first])
        super().replace(number, message, size)
        self._mixed = True
        if kept.shared:
            self._ledger.add(message)
            self._ledger.remove(kept.message)
        else:
            self._ledger.kept += size - kept.size

    def give_up(self) -> None:
        """Drop everything that was sent so far. The client cannot return until it has acknowledged it (RES-4)."""
        self._count()
        self._drop([*self._held.values(), *self._kept])
        self._kept.clear()
        self._held.clear()
        self._mixed = False
        self._look_above = min(LOOK_AFTER, self._limit)
        self._look_how_much()
        self.lost = self.last

    def restore(self, last: int, messages: Mapping[int, Kept[Message]]) -> None:
        """Keep messages that another worker sent, under their numbers. `last` is the last number that it assigned."""
        self.last, self._counted, self._mixed = last, last, True
        first = last + 1
        while first - 1 in messages:
            first -= 1
        self._kept.extend(messages[number] for number in range(first, last + 1))
        self._held.update({number: kept for number, kept in messages.items() if number < first})
        for kept in messages.values():
            self._size += kept.size
            if kept.shared:
                self._ledger.add(kept.message)
            else:
                self._ledger.kept += kept.size

    def offsets(self, begun: Iterable[tuple[int, int]]) -> dict[int, int]:
        """Return, by number, the offsets from which the peer needs the messages that it has received in part
        (RES-13)."""
        known = dict(begun)
        sources = {number: kept.message.source for number, kept in self if known and not kept.anew}
        found = ((number, sources.get(number), at) for number, at in known.items())
        return {number: at for number, source, at in found if source is not None and at < source.total}

    def prefer_newest(self, queue: SendQueue) -> None:
        """Replace publications that would be repeated by queued ones with the same key (RES-6)."""
        newest = {kept.key: number for number, kept in self if kept.key is not None}
        for number, kept in list(self) if newest else ():
            if newest.get(kept.key) != number:
                continue
            waiting = queue.newest(kept.key)
            if waiting is not None and waiting.gates == kept.gates:
                message = waiting.message
                queue.drop(waiting)
                self.replace(number, message, message.size + OVERHEAD)
