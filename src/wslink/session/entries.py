"""Messages that wait in a send queue, the streams that they wait in, and the names by which they keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from wslink.wire.chunks import Cutter
from wslink.wire.frames import Message


class Gate(Protocol):
    """What says whether a message may begin to be sent, such as a subscription's window (FLOW-6)."""

    @property
    def open(self) -> bool: ...


class Entry:
    """A message that waits. It may be replaced until it begins to be sent (SUB-13).

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
        over: whether its last frame was taken.
        ended: whether no more of it is sent than the chunk that says so (CAN-3).
    """

    __slots__ = (
        "about", "after", "begun", "cutter", "ended", "follows", "gates", "key", "message", "names", "on_begin",
        "order", "over", "stream",
    )  # fmt: skip

    def __init__(
        self,
        message: Message,
        key: Hashable = None,
        names: tuple[Hashable, ...] = (),
        gates: tuple[Gate, ...] = (),
        on_begin: Callable[[Entry], None] | None = None,
    ) -> None:
        self.message: Message = message
        self.key: Hashable = key
        self.names: tuple[Hashable, ...] = names
        self.gates: tuple[Gate, ...] = gates
        self.on_begin: Callable[[Entry], None] | None = on_begin
        self.after: Entry | None = None
        self.order: int = 0
        self.follows: bool = False
        self.stream: Stream | None = None
        self.about: Any = None
        self.cutter: Cutter | None = None
        self.begun: bool = False
        self.over: bool = False
        self.ended: bool = False

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


class Place:
    """Where messages of a name wait.

    Attributes:
        count: how many do.
        last: the one that was put last.
        stream: the one where it waits.
        all: all of them in the order in which they were put, those between the first and the last that are over
            included; None where there never was more than one.
    """

    __slots__ = ("all", "count", "last", "stream")

    def __init__(self, entry: Entry, stream: Stream) -> None:
        self.count: int = 1
        self.last: Entry = entry
        self.stream: Stream = stream
        self.all: deque[Entry] | None = None

    def add(self, entry: Entry, stream: Stream) -> None:
        if self.all is None:
            self.all = deque((self.last,))
        self.all.append(entry)
        self.count += 1
        self.last, self.stream = entry, stream

    def remove(self) -> None:
        """One of them, of several, is over."""
        self.count -= 1
        entries = self.all
        assert entries is not None
        while entries and entries[0].over:
            entries.popleft()
        while entries and entries[-1].over:
            entries.pop()
        if len(entries) > 2 * self.count + 8:
            self.all = entries = deque(entry for entry in entries if not entry.over)
        if entries and self.last is not entries[-1]:
            self.last = entries[-1]
            assert self.last.stream is not None
            self.stream = self.last.stream

    @property
    def first(self) -> Entry:
        return self.last if self.all is None else self.all[0]


class Names:
    """What waits of each name, and who wants to know when nothing does any more."""

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
        return () if place is None else tuple(entry for entry in place.all or (place.last,) if not entry.over)

    def response(self, id_: str) -> Entry | None:
        """The response to a call, which has no other name."""
        return next((entry for entry in self.entries(id_) if entry.names == (id_,)), None)

    def add(self, entry: Entry, stream: Stream) -> None:
        """A message waits in `stream`."""
        for name in entry.names:
            place = self._places.get(name)
            if place is None:
                self._places[name] = Place(entry, stream)
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
