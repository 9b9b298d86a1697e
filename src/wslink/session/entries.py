"""Messages that wait in a send queue, the streams that they wait in, and the names by which they keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
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
        after: one that has to be over first, in another stream.
        about: what its sender knows it by, for `withdraw`.
        over: whether its last frame was taken.
        ended: whether no more of it is sent than the chunk that says so (CAN-3).
    """

    __slots__ = ("about", "after", "begun", "cutter", "ended", "gates", "key", "message", "names", "on_begin", "over")

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
        self.about: Any = None
        self.cutter: Cutter | None = None
        self.begun: bool = False
        self.over: bool = False
        self.ended: bool = False

    def end(self) -> int:
        """Send no more of it than a chunk that says so (CAN-3), if it is being cut; how many bytes are not sent."""
        if self.cutter is None or self.ended:
            return 0
        self.ended = True
        return self.cutter.left

    @property
    def ready(self) -> bool:
        """Whether its next frame may go."""
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
    """Where messages of a name wait."""

    __slots__ = ("count", "last", "stream")

    def __init__(self) -> None:
        self.count: int = 0
        self.stream: Stream
        self.last: Entry


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

    def entries(self, name: Hashable) -> tuple[Entry, ...]:
        """The messages of a name that wait where the last of them does."""
        place = self._places.get(name)
        return tuple(entry for entry in place.stream.entries if name in entry.names) if place is not None else ()

    def response(self, id_: str) -> Entry | None:
        """The response to a call, which has no other name."""
        place = self._places.get(id_)
        if place is None or place.last.names == (id_,):
            return place.last if place is not None else None
        return next((entry for entry in self.entries(id_) if entry.names == (id_,)), None)

    def add(self, entry: Entry, stream: Stream) -> None:
        """A message waits in `stream`."""
        for name in entry.names:
            place = self._places.setdefault(name, Place())
            place.count += 1
            place.stream, place.last = stream, entry

    def remove(self, entry: Entry) -> None:
        """It waits no longer."""
        for name in entry.names:
            place = self._places[name]
            place.count -= 1
            if not place.count:
                del self._places[name]
                for watcher in self._watchers.pop(name, ()) if self._watchers else ():
                    watcher()

    def forget_last(self, entry: Entry, streams: Sequence[Stream]) -> None:
        """It was taken back. Where it was the last of a name, the last of those that still wait takes its place: in the
        same stream, or else in the one of `streams` where there is one."""
        for name in entry.names:
            place = self._places.get(name)
            if place is not None and place.last is entry:
                places = ((one, each) for each in (place.stream, *streams) for one in reversed(each.entries))
                place.last, place.stream = next((one, each) for one, each in places if name in one.names)

    def watch(self, name: Hashable, watcher: Callable[[], None]) -> None:
        if self._watchers is None:
            self._watchers = {}
        self._watchers.setdefault(name, []).append(watcher)

    def clear(self) -> None:
        self._places.clear()
        self._watchers = None
