"""The queue of messages to one peer: lanes, the order within them, and a bound (LANE-1 to LANE-4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Protocol

from wslink.errors import LimitExceeded
from wslink.session.entries import Entry, Names, Stream
from wslink.session.repeats import Repeats
from wslink.wire.chunks import HEADER_LENGTH, SMALL_MESSAGE, Cutter, renumbered
from wslink.wire.frames import Frame, Message

URGENT, NORMAL, BULK = range(3)
"""Lanes. A chunk of a lower number goes first."""
BULK_AFTER = 8
"""Chunks' worth of bytes of higher lanes after which one of the bulk lane goes (LANE-3)."""
OVERHEAD = 1024
"""Bytes that a waiting message counts beside its own: what keeping it costs."""


class Holder(Protocol):
    """Keeps the beginnings of messages (RES-13).

    Attributes:
        begun: their bytes.
    """

    begun: int

    def forget_beginnings(self) -> None:
        """Keep them no longer."""


class Ledger(Protocol):
    """Counts the messages that wait in all queues of a server.

    Attributes:
        kept: bytes of what else its sessions keep, each for itself.
        keepers: sessions that keep much (repeatable.MUCH).
    """

    kept: int
    keepers: int

    @property
    def kept_share(self) -> int:
        """Bytes that may be kept for the return of one client (RES-4)."""

    def add(self, message: Message) -> None:
        """A message waits in one queue more."""

    def remove(self, message: Message) -> None:
        """It waits in one less."""

    def look(self) -> None:
        """See to it that no more is kept than may be."""

    def hold(self, holder: Holder) -> None:
        """It keeps beginnings of messages."""

    def release(self, holder: Holder) -> None:
        """It keeps them no longer."""


class HeldUp(Protocol):
    """Clients whose calls publish faster than others take it.

    Attributes:
        any: whether there are such.
    """

    any: bool

    def holds_up(self, publisher: Any) -> bool:
        """Whether nothing further is taken from the client of a session (TURN-2)."""


class QueueLedger(Ledger, Protocol):
    """One that shares what may wait among queues.

    Attributes:
        queues: those in which something waits.
        publishers: see HeldUp.
    """

    queues: int

    @property
    def publishers(self) -> HeldUp: ...

    @property
    def share(self) -> int:
        """Bytes that may wait for one client before nothing further is taken from it (TURN-2)."""

    def forget(self, messages: Iterator[Message]) -> None:
        """These wait in one queue less. Each is let go when the next one is asked for."""


class Numbers(Protocol):
    """Numbers messages, and keeps them (RES-2)."""

    def begin(self, entry: Entry) -> int:
        """The number of a message that begins to be sent."""

    def end(self, number: int) -> None:
        """No more is sent of a message than a chunk that says so (CAN-3)."""


def _interrupted(lanes: Iterable[deque[Stream]]) -> list[Entry]:
    """Take the messages that have begun out of their streams."""
    begun = [(streams, stream) for streams in lanes for stream in streams if stream.entries[0].begun]
    for streams, stream in begun:
        if len(stream.entries) == 1:
            streams.remove(stream)
    return [stream.entries.popleft() for _, stream in begun]


def _emptied(lanes: Iterable[deque[Stream]]) -> Iterator[Message]:
    """The messages of streams, each of which is taken out of its stream then."""
    for stream in (stream for streams in lanes for stream in streams):
        while stream.entries:
            yield stream.entries.popleft().message


class SendQueue(Repeats):
    """A queue of messages in lanes, bounded in bytes.

    Small messages go in the order in which they were put, and pass large ones, which take turns, a chunk each. A
    message never passes an earlier one with which it shares a name.

    Args:
        limit: the bytes that may wait behind the messages that are being sent (LIM-6, `max_backlog`). One message
            larger than that is accepted while nothing else waits.
        ledger: is told of each message that begins and ends to wait.

    Attributes:
        numbers: see Numbers; where it is None, those of messages are random.
        waiting: bytes that wait, and `OVERHEAD` for each message.
        gated: those of messages with gates that have not begun, whatever they wait for.
        dropped: messages that a newer one replaced.
        named: those that wait, by their names.
    """

    waiting: int
    __slots__ = (
        "_ahead", "_count", "_lanes", "_latest", "_ledger", "_limit", "_order", "dropped", "gated", "named", "numbers",
    )  # fmt: skip

    def __init__(self, limit: int, numbers: Numbers | None = None, ledger: QueueLedger | None = None) -> None:
        super().__init__()
        self.numbers: Numbers | None = numbers
        self._limit = limit
        self._ledger = ledger
        # Made when a message waits: they are most of what an idle client would cost.
        self._lanes: tuple[deque[Stream], deque[Stream], deque[Stream]] | None = None
        self._latest: dict[Hashable, Entry] = {}
        self.named: Names = Names()
        self._ahead = 0  # bytes of higher lanes that went while something waited in the bulk lane
        self._count = 0
        self._order = 0
        self.gated: int = 0
        self.dropped: int = 0

    def __len__(self) -> int:
        """Messages that wait, those that are being sent included."""
        return self._count

    def put(self, entry: Entry, lane: int | None = None) -> bool:
        """Queue a message. With a key, it takes the place of the one with that key that has not begun to be sent.

        Args:
            lane: URGENT, NORMAL or BULK; by its size unless given.

        Returns:
            Whether one message more waits than before: false if it took another's place.

        Raises:
            LimitExceeded: if it does not fit; it is not queued then.
        """
        older = self._latest.get(entry.key) if entry.key is not None else None
        size = entry.message.size + OVERHEAD
        replaced = older.message.size + OVERHEAD if older else 0
        behind = self.waiting - self._begun - replaced
        if behind and behind + size > self._limit:
            raise LimitExceeded(f"over max_backlog ({self._limit} bytes) wait: the client reads too slowly")
        self.waiting += size - replaced
        self.gated += (size if entry.gates else 0) - (replaced if older is not None and older.gates else 0)
        if self._ledger is not None:
            self._ledger.add(entry.message)
        if lane is None:
            lane = NORMAL if entry.message.size <= SMALL_MESSAGE else BULK
        if older is not None:
            self.dropped += 1
            stays = lane != BULK or older.message.size > SMALL_MESSAGE
            if stays and bool(entry.gates) == bool(older.gates):
                if self._ledger is not None:
                    self._ledger.remove(older.message)
                older.take_over(entry)
                return False
            self._remove(older)  # it waits among others, which the newer one would hold up
        self._place(entry, lane)
        self._count += 1
        if self._count == 1 and self._ledger is not None:
            self._ledger.queues += 1
        if entry.key is not None:
            self._latest[entry.key] = entry
        return older is None

    def _place(self, entry: Entry, lane: int) -> None:
        """Append to the stream of what it must not pass, or to one by its lane."""
        places = [place for name in entry.names if (place := self.named.get(name)) is not None]
        stream = next((place.stream for place in places if not place.stream.shared), None)
        if stream is None:
            apart = lane == BULK or entry.gates or entry.after or any(place.stream.lane != lane for place in places)
            stream = self._add_stream(lane, False) if apart else self._shared(lane)
        self._order += 1
        entry.order, entry.follows, entry.stream = self._order, bool(places), stream
        stream.entries.append(entry)
        self.named.add(entry, stream)

    def _shared(self, lane: int) -> Stream:
        if self._lanes is not None:
            for stream in self._lanes[lane]:
                if stream.shared:
                    return stream
        return self._add_stream(lane, True)

    def _add_stream(self, lane: int, shared: bool) -> Stream:
        if self._lanes is None:
            self._lanes = deque(), deque(), deque()
        stream = Stream(lane, shared)
        self._lanes[lane].append(stream)
        return stream

    def next(self, chunk: int) -> Frame | None:
        """Take the next frame to be sent, of at most `chunk` bytes where its message is cut; None if none may go."""
        if self._frames:
            return self._took(self._frames.pop())
        if self.repeats:
            return self._repeat(chunk)
        if self._lanes is None:
            return None
        urgent, normal, bulk = self._lanes
        behind = bool(bulk) and self._ahead >= BULK_AFTER * chunk
        for streams in (bulk, urgent, normal) if behind else (urgent, normal, bulk):
            for stream in streams:
                entry = stream.entries[0]
                if entry.ready and (entry.begun or not entry.follows or self.named.leads(entry)):
                    frame = self._take(streams, stream, chunk)
                    self._ahead = self._ahead + frame.size if bulk and streams is not bulk else 0
                    return frame
        return None

    def _take(self, streams: deque[Stream], stream: Stream, chunk: int) -> Frame:
        """The next frame of a stream, whose turn is over then."""
        entry = stream.entries[0]
        if not entry.begun:
            self._begin(entry)
        if (cutter := entry.cutter) is not None:
            if cutter.offset:  # each chunk but the first adds a header to what the message counts
                self._begun += HEADER_LENGTH
                self.waiting += HEADER_LENGTH
            frame = cutter.end() if entry.ended else cutter.next(chunk)
        else:
            assert self._frames is not None
            frame = self._frames.pop()
        if cutter is None or not cutter.left:
            stream.entries.popleft()
            self._finish(entry)
        streams.remove(stream)
        if stream.entries:
            streams.append(stream)
        elif not any(self._lanes or ()):
            self._lanes = None
        return self._took(frame)

    def _begin(self, entry: Entry) -> None:
        message = entry.message
        entry.begun = True
        if entry.gates:
            self.gated -= message.size + OVERHEAD
        self._begun += message.size
        if entry.key is not None:
            del self._latest[entry.key]
        if entry.on_begin is not None:
            entry.on_begin(entry)
        number = self.numbers.begin(entry) if self.numbers is not None else None
        if message.source is not None:
            entry.cutter = Cutter(message.source, number)
        else:
            frames = message.frames if number is None else renumbered(message.frames, number)
            self._frames = list(reversed(frames))

    def _finish(self, entry: Entry) -> None:
        entry.over = True
        self._count -= 1
        if self._ledger is not None:
            self._ledger.remove(entry.message)
            self._ledger.queues -= not self._count
        self.waiting -= OVERHEAD
        self.named.remove(entry)

    def holds(self, name: Hashable) -> bool:
        """Whether a message of a name waits or is being sent."""
        return self.named.get(name) is not None

    def watch(self, name: Hashable, watcher: Callable[[], None]) -> None:
        """Call `watcher` once, when the last message of a name that waits has gone, or was taken back. It must not
        change the queue."""
        self.named.watch(name, watcher)

    def begun(self, name: Hashable) -> Entry | None:
        """The message of a name that is being sent, if there is one."""
        return next((entry for entry in self.named.entries(name) if entry.begun), None)

    def withdraw(self, name: Hashable, unwanted: Callable[[Any], bool]) -> None:
        """Take back the messages of a name that have not begun and are `unwanted`, by what they are about."""
        for entry in self.named.entries(name):
            if unwanted(entry.about):
                self.drop(entry)

    def give_up(self, entry: Entry) -> None:
        """Send no more of a message (CAN-2, CAN-3)."""
        left = 0 if self.drop(entry) else entry.end()
        self._begun -= left
        self.waiting -= left
        if left and entry.cutter is not None and self.numbers is not None:
            self.numbers.end(entry.cutter.id)

    def drop(self, entry: Entry) -> bool:
        """Take back a message that has not begun to be sent; False if it has."""
        if entry.begun:
            return False
        self.waiting -= entry.message.size + OVERHEAD
        if entry.gates:
            self.gated -= entry.message.size + OVERHEAD
        self._remove(entry)
        return True

    def _remove(self, entry: Entry) -> None:
        """Take an entry that waits out of its stream. The bytes that wait are the caller's to count."""
        assert entry.stream is not None
        assert self._lanes is not None
        entry.stream.entries.remove(entry)
        if not entry.stream.entries:
            self._lanes[entry.stream.lane].remove(entry.stream)
        self._latest.pop(entry.key, None)
        self.waiting += OVERHEAD
        self._finish(entry)

    def newest(self, key: Hashable) -> Entry | None:
        """The message of a key that waits and has not begun, if there is one."""
        return self._latest.get(key)

    def interrupt(self) -> None:
        """The connection is lost. What had begun is forgotten: whoever numbered it sends it again (`repeat`)."""
        for entry in _interrupted(self._lanes or ()):
            self._finish(entry)
        self._forget_begun()

    def clear(self) -> None:
        """Forget all that waits. Whoever drops a queue has to: see Entry. A ledger does so bit by bit, where that takes
        long."""
        messages = _emptied(self._lanes or ())
        if self._ledger is None:
            deque(messages, 0)
        elif self._count:
            self._ledger.queues -= 1
            self._ledger.forget(messages)
        self._lanes = None
        self._latest.clear()
        self.named.clear()
        self._forget_begun()
        self._count = self._ahead = self.waiting = self.gated = 0


def behind(queue: SendQueue) -> int:
    """Bytes that wait behind the largest message that is being sent, those not counted that wait for a gate."""
    heads = (stream.entries[0].cutter for streams in queue._lanes or () for stream in streams)
    return queue.waiting - queue.gated - max((cutter.left for cutter in heads if cutter is not None), default=0)


def waiting(queue: SendQueue) -> list[tuple[int, Entry]]:
    """All messages that have not begun, each with its lane, in an order in which they may be put again."""
    streams = (stream for lane in queue._lanes or () for stream in lane)
    entries = (entry for stream in streams for entry in stream.entries if not entry.begun)
    return [(entry.stream.lane, entry) for entry in sorted(entries, key=lambda entry: entry.order) if entry.stream]


def left(queue: SendQueue, name: Hashable) -> tuple[int, int]:
    """Of the messages of a name: the bytes that are not sent yet, and how many have not begun."""
    waiting = queue.named.entries(name)
    size = sum(entry.message.size if entry.cutter is None else entry.cutter.left for entry in waiting)
    return size, sum(not entry.begun for entry in waiting)
