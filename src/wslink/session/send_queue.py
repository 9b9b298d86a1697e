"""The queue of messages to one peer: lanes, the order within them, and a bound (LANE-1 to LANE-4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Protocol

from wslink.errors import LimitExceeded
from wslink.session.entries import Entry, Names, Stream
from wslink.session.repeats import Repeats
from wslink.wire.chunks import SMALL_MESSAGE, Cutter, renumbered
from wslink.wire.frames import Frame, Message

URGENT, NORMAL, BULK = range(3)
"""Lanes. Chunks of a lower lane number are sent first."""
BULK_AFTER = 8
"""Chunks' worth of bytes of higher lanes after which one chunk of the bulk lane is sent (LANE-3)."""
OVERHEAD = 1024
"""Bytes that a waiting message counts in addition to its own: the cost of keeping it."""


class Holder(Protocol):
    """Keeps partly received messages (RES-13).

    Attributes:
        begun: their bytes.
    """

    begun: int

    def forget_beginnings(self) -> None:
        """Drop them."""


class Ledger(Protocol):
    """Counts the messages that are waiting in all queues of a server.

    Attributes:
        kept: bytes that sessions keep in addition, each for itself.
        keepers: the number of sessions that keep more than repeatable.MUCH.
    """

    kept: int
    keepers: int

    @property
    def kept_share(self) -> int:
        """Bytes that may be kept for the return of one client (RES-4)."""

    def add(self, message: Message) -> None:
        """A message was added to a queue."""

    def remove(self, message: Message) -> None:
        """A message was removed from a queue."""

    def look(self) -> None:
        """Enforce the bound on what is kept."""

    def hold(self, holder: Holder) -> None:
        """`holder` keeps partly received messages."""

    def release(self, holder: Holder) -> None:
        """`holder` no longer keeps any."""


class QueueLedger(Ledger, Protocol):
    """A ledger that divides the allowed backlog among queues.

    Attributes:
        queues: the number of queues that are not empty.
    """

    queues: int

    @property
    def share(self) -> int:
        """Bytes that may wait for one client before nothing further is accepted from it (TURN-2)."""

    def forget(self, messages: Iterator[Message]) -> None:
        """These messages were removed from a queue. Each is released when the next one is requested."""


class Numbers(Protocol):
    """Assigns numbers to messages, and keeps the messages (RES-2)."""

    def begin(self, entry: Entry) -> int:
        """Return the number of a message that begins to be sent."""

    def end(self, number: int) -> None:
        """A message was aborted: only the chunk that says so is sent (CAN-3)."""


def _interrupted(lanes: Iterable[deque[Stream]]) -> list[Entry]:
    """Remove the messages that have begun from their streams."""
    begun = [(streams, stream) for streams in lanes for stream in streams if stream.entries[0].begun]
    for streams, stream in begun:
        if len(stream.entries) == 1:
            streams.remove(stream)
    return [stream.entries.popleft() for _, stream in begun]


def _emptied(lanes: Iterable[deque[Stream]]) -> Iterator[Message]:
    """Yield the messages of streams, removing each from its stream."""
    for stream in (stream for streams in lanes for stream in streams):
        while stream.entries:
            yield stream.entries.popleft().message


class SendQueue(Repeats):
    """A queue of messages in lanes, bounded in bytes.

    Small messages are sent in the order in which they were put, and overtake large ones. Large ones take turns, a chunk
    each. A message never overtakes an earlier one with which it shares a name.

    Args:
        limit: the bytes that may wait behind the messages that are being sent (LIM-6, `max_backlog`). A single message
            may be larger if nothing else is waiting.
        ledger: counts the messages of all queues.

    Attributes:
        numbers: see Numbers. If None, message ids are random.
        waiting: bytes that are waiting, including `OVERHEAD` for each message.
        gated: the part of them that belongs to messages with gates that have not begun.
        dropped: the number of messages that a newer one replaced.
        named: the waiting messages, by their names.
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
        # Created on demand: for idle clients they would be most of the memory.
        self._lanes: tuple[deque[Stream], deque[Stream], deque[Stream]] | None = None
        self._latest: dict[Hashable, Entry] = {}
        self.named: Names = Names()
        self._ahead = 0  # bytes of higher lanes that were sent while the bulk lane was waiting
        self._count = 0
        self._order = 0
        self.gated: int = 0
        self.dropped: int = 0

    def __len__(self) -> int:
        """The number of waiting messages, including those that are being sent."""
        return self._count

    def put(self, entry: Entry, lane: int | None = None) -> bool:
        """Queue a message. It replaces a message with the same key that has not begun to be sent.

        Args:
            lane: URGENT, NORMAL or BULK; by default it depends on the size.

        Returns:
            Whether one more message is waiting; False if it replaced another.

        Raises:
            LimitExceeded: the message does not fit, and was not queued.
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
            self._remove(older)  # the newer message would delay the others in that stream
        self._place(entry, lane)
        self._count += 1
        if self._count == 1 and self._ledger is not None:
            self._ledger.queues += 1
        if entry.key is not None:
            self._latest[entry.key] = entry
        return older is None

    def _place(self, entry: Entry, lane: int) -> None:
        """Append to the stream of a message that it must not overtake, or to one of its lane."""
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
        """Take the next frame to send, of at most `chunk` bytes if its message can be cut; None if none may be sent."""
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
        """Take the next frame of a stream, which ends the stream's turn."""
        entry = stream.entries[0]
        if not entry.begun:
            self._begin(entry)
        if (cutter := entry.cutter) is not None:
            if before := cutter.offset:
                self._count_header()
            frame = cutter.end() if entry.ended else cutter.next(chunk)
            self._count_taken(cutter, before)
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
        """Whether a message with this name is waiting or being sent."""
        return self.named.get(name) is not None

    def watch(self, name: Hashable, watcher: Callable[[], None]) -> None:
        """Call `watcher` once, when the last message with this name has been sent or dropped. It must not change the
        queue."""
        self.named.watch(name, watcher)

    def begun(self, name: Hashable) -> Entry | None:
        """The message with this name that is being sent, if there is one."""
        return next((entry for entry in self.named.entries(name) if entry.begun), None)

    def withdraw(self, name: Hashable, unwanted: Callable[[Any], bool]) -> None:
        """Drop the messages with this name that have not begun and whose `about` is `unwanted`."""
        for entry in self.named.entries(name):
            if unwanted(entry.about):
                self.drop(entry)

    def give_up(self, entry: Entry) -> None:
        """Stop sending a message (CAN-2, CAN-3)."""
        left = 0 if self.drop(entry) else entry.end()
        self._begun -= left
        self.waiting -= left
        if left and entry.cutter is not None and self.numbers is not None:
            self.numbers.end(entry.cutter.id)

    def drop(self, entry: Entry) -> bool:
        """Drop a message that has not begun to be sent. Returns False if it has."""
        if entry.begun:
            return False
        self.waiting -= entry.message.size + OVERHEAD
        if entry.gates:
            self.gated -= entry.message.size + OVERHEAD
        self._remove(entry)
        return True

    def _remove(self, entry: Entry) -> None:
        """Remove a waiting entry from its stream. The caller updates the waiting bytes."""
        assert entry.stream is not None
        assert self._lanes is not None
        entry.stream.entries.remove(entry)
        if not entry.stream.entries:
            self._lanes[entry.stream.lane].remove(entry.stream)
        self._latest.pop(entry.key, None)
        self.waiting += OVERHEAD
        self._finish(entry)

    def newest(self, key: Hashable) -> Entry | None:
        """The waiting message with this key that has not begun, if there is one."""
        return self._latest.get(key)

    def interrupt(self) -> None:
        """Drop messages that had begun: the connection is lost. Whoever numbered them sends them again (`repeat`)."""
        for entry in _interrupted(self._lanes or ()):
            self._finish(entry)
        self._forget_begun()

    def clear(self) -> None:
        """Drop everything. This is necessary before dropping the queue; see Entry. The ledger releases the messages bit
        by bit if there are many."""
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
    """Bytes that wait behind the largest message that is being sent, except those that wait for a gate. A message that
    is being sent counts as a whole: it is kept until its last chunk has been taken."""
    heads = (stream.entries[0].cutter for streams in queue._lanes or () for stream in streams)
    largest = max((cutter.offset + cutter.left for cutter in heads if cutter is not None), default=0)
    return queue.waiting + queue.taken - queue.gated - largest


def waiting(queue: SendQueue) -> list[tuple[int, Entry]]:
    """All messages that have not begun, each with its lane, in an order in which they can be put into another queue."""
    streams = (stream for lane in queue._lanes or () for stream in lane)
    entries = (entry for stream in streams for entry in stream.entries if not entry.begun)
    return [(entry.stream.lane, entry) for entry in sorted(entries, key=lambda entry: entry.order) if entry.stream]


def left(queue: SendQueue, name: Hashable) -> tuple[int, int]:
    """For the messages with this name: the bytes that are not sent yet, and how many have not begun."""
    waiting = queue.named.entries(name)
    size = sum(entry.message.size if entry.cutter is None else entry.cutter.left for entry in waiting)
    return size, sum(not entry.begun for entry in waiting)
