"""What was sent and may have to be sent again: messages by number, until the peer has them (RES-2, RES-4, RES-6)."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from wslink.session.entries import Entry
from wslink.session.numbering import Kept, Unacknowledged
from wslink.session.send_queue import OVERHEAD, Holder, Ledger, SendQueue
from wslink.wire.chunks import ENDED, NUMBER_LENGTH, pack_number, renumbered
from wslink.wire.frames import Frame, Message

LOOK_AFTER = 64 * 1024
"""Bytes that are kept more before the bounds are looked at."""


class Uncounted:
    """A ledger of one that counts nothing (session.send_queue.Ledger)."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: int = 0

    def add(self, message: Message) -> None: ...

    def remove(self, message: Message) -> None: ...

    def look(self) -> None: ...

    def hold(self, holder: Holder) -> None: ...

    def release(self, holder: Holder) -> None: ...


class Repeatable(Unacknowledged[Message]):
    """The messages of one direction of a session.

    Args:
        limit: bytes that are kept (RES-4).
        ledger: counts what is kept (LIM-6, `max_server_backlog`).

    Attributes:
        lost: the largest number that is not kept although the peer may lack it; 0 if there is none.
    """

    last: int
    size: int
    __slots__ = ("_ledger", "_limit", "_look_at", "_mixed", "lost")

    def __init__(self, limit: int, ledger: Ledger) -> None:
        super().__init__()
        self._limit = limit
        self._ledger = ledger
        self._look_at = min(LOOK_AFTER, limit)
        self._mixed = False  # whether more than bytes alone may be kept of a message
        self.lost: int = 0

    def keep(self, message: Message) -> None:
        """Keep a message that is one chunk and goes at once, under the next number, which its encoder gave it.

        This is on the path of every call.
        """
        self.last += 1
        size = message.size + OVERHEAD
        self._kept.append(message.frames[0].parts[0])  # type: ignore[arg-type]
        self.size += size
        self._ledger.kept += size
        if self.size > self._look_at:
            self._look()

    def numbered(self, message: Message, key: Hashable = None) -> Sequence[Frame]:
        """A message that is one chunk and goes at once, kept, under its number."""
        chunk = message.frames[0]
        if key is None and not chunk.dense and len(chunk.parts) == 1 and type(chunk.parts[0]) is bytes:
            self.keep(message)
            data = pack_number(self.last) + chunk.parts[0][NUMBER_LENGTH:]
            return (Frame(True, (data,), chunk.size, chunk.dense),)
        self.keep(message)
        self._kept[-1] = Kept(message, message.size + OVERHEAD, key)
        self._mixed = True
        return renumbered(message.frames, self.last)

    def _whole(self, kept: bytes | Kept[Message]) -> Kept[Message]:
        if not isinstance(kept, bytes):
            return kept
        size = len(kept)
        return Kept(Message((Frame(True, (kept,), size, False),), size), size + OVERHEAD, None)

    def begin(self, entry: Entry) -> int:
        """The number of a message that begins to be sent, which is kept."""
        self.last = number = self.last + 1
        size = entry.message.size + OVERHEAD
        self._kept.append(Kept(entry.message, size, entry.key, entry.gates, True))
        self._mixed = True
        self.size += size
        self._ledger.add(entry.message)
        if self.size > self._look_at:
            self._look()
        return number

    def end(self, number: int) -> None:
        """No more is sent of a message: what says so is all that is sent again (CAN-3)."""
        if self._keeps(number):
            self.replace(number, ENDED, ENDED.size + OVERHEAD)

    def _look(self) -> None:
        """Keep no more than may be."""
        if self.size > self._limit:
            self.give_up()
        else:
            self._look_at = min(self.size + LOOK_AFTER, self._limit)
            self._ledger.look()

    def _drop(self, gone: Collection[bytes | Kept[Message]]) -> None:
        if self._mixed:
            for kept in [kept for kept in gone if isinstance(kept, Kept)]:
                self.size -= kept.size
                if kept.shared:
                    self._ledger.remove(kept.message)
                else:
                    self._ledger.kept -= kept.size
            gone = [kept for kept in gone if isinstance(kept, bytes)]
            self._mixed = bool(self._kept or self._held)
        size = sum(map(len, gone)) + OVERHEAD * len(gone)  # type: ignore[arg-type]
        self.size -= size
        self._ledger.kept -= size

    def replace(self, number: int, message: Message, size: int) -> None:
        kept = self._whole(self._held[number] if number in self._held else self._kept[number - self._first])
        super().replace(number, message, size)
        self._mixed = True
        if kept.shared:
            self._ledger.add(message)
            self._ledger.remove(kept.message)
        else:
            self._ledger.kept += size - kept.size

    def give_up(self) -> None:
        """Keep nothing of what was sent so far: there is no return until the peer has acknowledged it (RES-4)."""
        self._drop([*self._held.values(), *self._kept])
        self._kept.clear()
        self._held.clear()
        self._look_at = min(LOOK_AFTER, self._limit)
        self.lost = self.last

    def acknowledge(self, received: int, missing: Collection[int] = ()) -> None:
        super().acknowledge(received, missing)
        self._look_at = min(self.size + LOOK_AFTER, self._limit)
        if self.lost and self.lost <= received <= self.last and all(number > self.lost for number in missing):
            self.lost = 0

    def restore(self, last: int, messages: Mapping[int, Kept[Message]]) -> None:
        """Keep messages that another worker sent under their numbers, of which `last` is the last that it gave."""
        self.last, self._mixed = last, True
        first = last + 1
        while first - 1 in messages:
            first -= 1
        self._kept.extend(messages[number] for number in range(first, last + 1))
        self._held.update({number: kept for number, kept in messages.items() if number < first})
        for kept in messages.values():
            self.size += kept.size
            if kept.shared:
                self._ledger.add(kept.message)
            else:
                self._ledger.kept += kept.size

    def offsets(self, begun: Iterable[tuple[int, int]]) -> dict[int, int]:
        """From where the peer lacks messages of which it has said that it has the beginning (RES-13)."""
        known = dict(begun)
        sources = {number: kept.message.source for number, kept in self if known and not kept.anew}
        found = ((number, sources.get(number), at) for number, at in known.items())
        return {number: at for number, source, at in found if source is not None and at < source.total}

    def prefer_newest(self, queue: SendQueue) -> None:
        """Let what waits take the place of older publications of its key that would be repeated (RES-6)."""
        newest = {kept.key: number for number, kept in self if kept.key is not None}
        for number, kept in list(self) if newest else ():
            if newest.get(kept.key) != number:
                continue
            waiting = queue.newest(kept.key)
            if waiting is not None and waiting.gates == kept.gates:
                message = waiting.message
                queue.drop(waiting)
                self.replace(number, message, message.size + OVERHEAD)
