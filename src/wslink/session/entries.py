"""Messages that wait in a send queue, the streams that they wait in, and the names by which they keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import msgspec

from wslink.wire.chunks import Cutter
from wslink.wire.frames import Message


class Gate(Protocol):
    """Decides whether a message may begin to be sent, such as a subscription's window (FLOW-6)."""

    @property
    def open(self) -> bool: ...


class Entry(msgspec.Struct, eq=False, gc=False):
    """A message that waits. It may be replaced until it begins to be sent (SUB-13).

    There may be a hundred thousand of them, so the garbage collector does not look at them: whoever takes one out of
    its stream, or drops the queue, breaks the circle of entry and stream (`SendQueue.clear`).

    Attributes:
        message: the message.
        key: what it is the newest of; None for one that is never replaced.
        names: what later messages that must not pass it are known by: a topic, a call.
        gates: all are open when it begins.
        on_begin: called when its first frame is taken.
        after: one that has to be over first, whatever their names.
        order: counts the messages of a queue, in the order in which they were put.
        follows: whether another of one of its names waited when it was put.
        stream: where it waits.
        about: what its sender knows it by, for `withdraw`.
        cutter: what cuts it into chunks, once it has begun, where it is cut.
        begun: whether its first frame was taken.
        over: whether its last frame was taken.
        ended: whether no more of it is sent than the chunk that says so (CAN-3).
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
        """Be what `newer` is, in this place. It is for other subscriptions, perhaps, and waits for their windows."""
        self.message, self.on_begin = newer.message, newer.on_begin
        self.gates, self.about = newer.gates, newer.about

    def end(self) -> int:
        """Send no more of it than a chunk that says so (CAN-3), if it is being cut; how many bytes are not sent."""
        if self.cutter is None or self.ended:
            return 0
        self.ended = True
        return self.cutter.left

    @property
    def ready(self) -> bool:
        """Whether its next frame may go once it is the first of its names."""
        if self.begun:
            return True
        return (self.after is None or self.after.over) and all(gate.open for gate in self.gates)


class Stream:
    """Messages that go one after the other. Small ones that wait for their turn alone share one."""

    __slots__ = ("entries", "lane", "shared")

    def __init__(self, lane: int, shared: bool) -> None:
        self.lane: int = lane
        self.shared: bool = shared
        self.entries: deque[Entry] = deque()


class Place(msgspec.Struct, eq=False, gc=False):
    """The waiting messages of a name.

    Attributes:
        stream: the one in which the last of them waits.
        first: the one that was put first; the only one, mostly.
        last: the one that was put last.
        count: how many wait.
        all: all of them in the order in which they were put, those between the first and the last that are over
            included; None where there never were more than two: a result, and what its method published.
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
        """One of them, of several, is over."""
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
        """Forget those that are over before the first that is not, behind the last, and between them where they are
        many."""
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
        """Those that wait, in the order in which they were put."""
        if self.all is not None:
            return tuple(entry for entry in self.all if not entry.over)
        return (self.first,) if self.count == 1 else (self.first, self.last)


class Names:
    """The waiting messages of each name, and the callbacks for when none waits any more."""

    __slots__ = ("_places", "_watchers")

    def __init__(self) -> None:
        self._places: dict[Hashable, Place] = {}
        self._watchers: dict[Hashable, list[Callable[[], None]]] | None = None

    def get(self, name: Hashable) -> Place | None:
        return self._places.get(name)

    def is_gated(self, name: Hashable) -> bool:
        """Whether messages of a name wait for a gate."""
        place = self._places.get(name)
        return place is not None and bool(place.last.gates)

    def leads(self, entry: Entry) -> bool:
        """Whether a message that waits is the first of each of its names."""
        return all(self._places[name].first is entry for name in entry.names)

    def entries(self, name: Hashable) -> tuple[Entry, ...]:
        """The messages of a name that wait, in the order in which they were put."""
        place = self._places.get(name)
        return () if place is None else place.waiting

    def response(self, id_: str) -> Entry | None:
        """The response to a call, which has no other name."""
        return next((entry for entry in self.entries(id_) if entry.names == (id_,)), None)

    def add(self, entry: Entry, stream: Stream) -> None:
        """A message waits in `stream`."""
        for name in entry.names:
            place = self._places.get(name)
            if place is None:
                self._places[name] = Place(stream, entry, entry)
            else:
                place.add(entry, stream)

    def remove(self, entry: Entry) -> None:
        """It waits no longer, and is over."""
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
