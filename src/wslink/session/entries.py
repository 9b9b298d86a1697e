"""The entries of a send queue, their streams, and the names that determine their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import msgspec

from wslink.wire.chunks import Cutter
from wslink.wire.frames import Message


class Gate(Protocol):
    """Decides whether a message may begin to be sent. A subscription's window is one (FLOW-6)."""

    @property
    def open(self) -> bool: ...


class Entry(msgspec.Struct, eq=False, gc=False):
    """A waiting message. It may be replaced until it begins to be sent (SUB-13).

    There may be a hundred thousand of them, so the garbage collector does not track them. Whoever removes one from its
    stream, or drops the queue, has to break the reference cycle between entry and stream (`SendQueue.clear`).

    Attributes:
        message: the message.
        key: a newer message with the same key replaces this one; None if none may.
        names: messages that share a name keep their order: a topic, a call.
        gates: must all be open for the message to begin.
        on_begin: called when its first frame is taken.
        after: an entry that has to be finished first, whatever their names.
        order: the position in the order in which entries were put into the queue.
        follows: whether an entry with one of its names was waiting when it was put.
        stream: the stream in which it waits.
        about: identifies it for its sender, for `withdraw`.
        cutter: cuts it into chunks once it has begun, if it is large.
        begun: whether its first frame was taken.
        over: whether its last frame was taken.
        ended: whether it is aborted: only the chunk that says so is still sent (CAN-3).
    """

    message: Message
    key: Hashable = None
    names: tuple[Hashable, ...] = ()
    gates: tuple[Gate, ...] = ()
    on_begin: Callable[[Entry], None] | None = None
    after: Entry | None = None
    order: int = 0
    follows: bool = False
    stream: Stream | None = None
    about: Any = None
    cutter: Cutter | None = None
    begun: bool = False
    over: bool = False
    ended: bool = False

    def take_over(self, newer: Entry) -> None:
        """Become `newer`, in this place of the queue. It may be for other subscriptions, and wait for their windows."""
        self.message, self.on_begin = newer.message, newer.on_begin
        self.gates, self.about = newer.gates, newer.about

    def end(self) -> int:
        """Abort the message if it is being cut, so that only a chunk that says so is sent (CAN-3). Returns the number
        of bytes that are not sent."""
        if self.cutter is None or self.ended:
            return 0
        self.ended = True
        return self.cutter.left

    @property
    def ready(self) -> bool:
        """Whether its next frame may be sent once it is the first of its names."""
        if self.begun:
            return True
        return (self.after is None or self.after.over) and all(gate.open for gate in self.gates)


class Stream:
    """Messages that are sent one after another. Small ones whose order does not depend on others share one stream."""

    __slots__ = ("entries", "lane", "shared")

    def __init__(self, lane: int, shared: bool) -> None:
        self.lane: int = lane
        self.shared: bool = shared
        self.entries: deque[Entry] = deque()


class Place(msgspec.Struct, eq=False, gc=False):
    """The waiting messages of a name.

    Attributes:
        stream: the stream in which the last of them waits.
        first: the one that was put first. Usually it is the only one.
        last: the one that was put last.
        count: how many are waiting.
        all: all of them in the order in which they were put, including finished ones between the first and the last;
            None if there were never more than two, as for a result and what its method published.
    """

    stream: Stream
    first: Entry
    last: Entry
    count: int = 1
    all: deque[Entry] | None = None

    def add(self, entry: Entry, stream: Stream) -> None:
        if self.all is not None:
            self.all.append(entry)
        elif self.count > 1:
            self.all = deque((self.first, self.last, entry))
        self.count += 1
        self.last, self.stream = entry, stream

    def remove(self) -> None:
        """One of several has finished."""
        self.count -= 1
        last = self.last
        if self.all is not None:
            self._trim(self.all)
        elif self.first.over:
            self.first = last
        else:
            self.last = self.first
        if self.last is not last:
            assert self.last.stream is not None
            self.stream = self.last.stream

    def _trim(self, entries: deque[Entry]) -> None:
        """Remove finished entries at both ends, and in between if there are many."""
        while entries and entries[0].over:
            entries.popleft()
        while entries and entries[-1].over:
            entries.pop()
        if len(entries) > 2 * self.count + 8:
            self.all = entries = deque(entry for entry in entries if not entry.over)
        if entries:  # one may have a name twice
            self.first, self.last = entries[0], entries[-1]

    @property
    def waiting(self) -> tuple[Entry, ...]:
        """The waiting messages, in the order in which they were put."""
        if self.all is not None:
            return tuple(entry for entry in self.all if not entry.over)
        return (self.first,) if self.count == 1 else (self.first, self.last)


class Names:
    """The waiting messages of each name, and callbacks for when there are none left."""

    __slots__ = ("_places", "_watchers")

    def __init__(self) -> None:
        self._places: dict[Hashable, Place] = {}
        self._watchers: dict[Hashable, list[Callable[[], None]]] | None = None

    def get(self, name: Hashable) -> Place | None:
        return self._places.get(name)

    def is_gated(self, name: Hashable) -> bool:
        """Whether messages of a name are waiting for a gate."""
        place = self._places.get(name)
        return place is not None and bool(place.last.gates)

    def leads(self, entry: Entry) -> bool:
        """Whether a waiting message is the first of each of its names."""
        return all(self._places[name].first is entry for name in entry.names)

    def entries(self, name: Hashable) -> tuple[Entry, ...]:
        """The waiting messages of a name, in the order in which they were put."""
        place = self._places.get(name)
        return () if place is None else place.waiting

    def response(self, id_: str) -> Entry | None:
        """The response to a call. It is the message that has no other name."""
        return next((entry for entry in self.entries(id_) if entry.names == (id_,)), None)

    def add(self, entry: Entry, stream: Stream) -> None:
        """A message is waiting in `stream`."""
        for name in entry.names:
            place = self._places.get(name)
            if place is None:
                self._places[name] = Place(stream, entry, entry)
            else:
                place.add(entry, stream)

    def remove(self, entry: Entry) -> None:
        """A message has finished."""
        for name in entry.names:
            place = self._places[name]
            if place.count > 1:
                place.remove()
                continue
            del self._places[name]
            for watcher in self._watchers.pop(name, ()) if self._watchers else ():
                watcher()

    def watch(self, name: Hashable, watcher: Callable[[], None]) -> None:
        if self._watchers is None:
            self._watchers = {}
        self._watchers.setdefault(name, []).append(watcher)

    def clear(self) -> None:
        self._places.clear()
        self._watchers = None
