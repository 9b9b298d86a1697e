"""Paths at which a process and its client meet."""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from wslink.proxy.takeover import ConnectionPassed
from wslink.relay.member import Member
from wslink.waiting import within

MAX_ROOMS = 1000
"""Paths at which two may talk, at the same time, and as many at which one may wait."""


class Role(enum.Enum):
    PROCESS = "process"
    CLIENT = "client"
    UNKNOWN = "unknown"
    """It did not prove what it is: the first to come is the process."""


class GaveWay(Exception):
    """Another peer has come instead."""


@dataclass
class Room:
    """The peers at one path.

    Attributes:
        process: the process that waits for a client.
        client: the client that waits for a process, as a future of the process; an older one gives way to it.
        pair: the two that are connected.
        looking: checks whether the client of the pair is alive, while another one waits.
        address: the address of the peer that waits.
        proven: whether that one has presented a token. Otherwise it gives way if too many wait.
    """

    process: Member | None = None
    client: asyncio.Future[Member] | None = None
    pair: tuple[Member, Member] | None = None
    looking: asyncio.Task[bool] | None = None
    address: str = ""
    proven: bool = False

    @property
    def empty(self) -> bool:
        return self.process is None and self.client is None and self.pair is None

    def give_way(self, reason: Exception) -> None:
        """Let the waiting client stop waiting."""
        if self.client is not None and not self.client.done():
            self.client.set_exception(reason)


class Rooms:
    """Pairs the peers that connect to the same path.

    A pair ends as a whole. So the next client meets a new connection of the process, on which nobody has authenticated
    yet: it never inherits another client's authentication.

    Args:
        wait: seconds that a client waits for its process.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._rooms: dict[str, Room] = {}

    async def enter(self, path: str, role: Role, request: web.Request, proven: bool = False) -> web.StreamResponse:
        """Answer a peer's handshake: a process's at once, a client's when its process is there.

        Args:
            proven: whether it has presented a token.

        Returns:
            403 if the place is taken, 502 if the process does not come, 503 if there are too many paths in use.
        """
        room = self._rooms.get(path)
        if room is None:
            if not self._has_room():
                return _refused(503, "Too many paths are in use.")
            room = self._rooms[path] = Room(address=request.remote or "")
        room.proven = room.proven or proven
        try:
            if role is Role.UNKNOWN:
                role = Role.CLIENT if room.process is not None or room.pair is not None else Role.PROCESS
            return (
                self._process(path, room, request) if role is Role.PROCESS else await self._client(path, room, request)
            )
        finally:
            self._tidy(path, room)

    @property
    def pairs(self) -> int:
        """The number of pairs."""
        return sum(room.pair is not None for room in self._rooms.values())

    @property
    def waiting(self) -> dict[Role, int]:
        """The number of waiting peers, by role."""
        rooms = self._rooms.values()
        processes = sum(room.process is not None for room in rooms)
        return {Role.PROCESS: processes, Role.CLIENT: sum(room.client is not None for room in rooms)}

    def close(self) -> None:
        """End every connection."""
        for room in list(self._rooms.values()):
            for member in (room.process, *(room.pair or ())):
                if member is not None:
                    member.end(1001, "the relay stops")

    def _has_room(self) -> bool:
        """Whether there may be another path. A path at which an unproven peer waits gives way: that of the longest
        waiting one, from the address with the most of them."""
        waiting = [room for room in self._rooms.values() if room.pair is None]
        if len(self._rooms) - len(waiting) >= MAX_ROOMS:
            return False
        if len(waiting) < MAX_ROOMS:
            return True
        unknown = [room for room in waiting if not room.proven]
        if not unknown:
            return False
        ((address, _),) = Counter(room.address for room in unknown).most_common(1)
        self._give_way(next(room for room in unknown if room.address == address))
        return True

    def _give_way(self, room: Room) -> None:
        if room.process is not None:
            room.process.end(1013, "too many wait: try again later")
        room.give_way(asyncio.TimeoutError())
        path = next(path for path, one in self._rooms.items() if one is room)
        del self._rooms[path]

    def _process(self, path: str, room: Room, request: web.Request) -> web.StreamResponse:
        member = Member.accept(request)
        if member is None:
            return ConnectionPassed()
        if room.process is not None:
            # The process came back before the end of its old connection was noticed.
            room.process.abort()
        room.process = member
        member.ended.add_done_callback(lambda _: self._left(path, room, member))
        if room.client is not None and not room.client.done():
            room.client.set_result(member)
        return ConnectionPassed()

    async def _client(self, path: str, room: Room, request: web.Request) -> web.StreamResponse:
        room.give_way(GaveWay())  # nobody would be told if that one's line was lost, and who returns is the newest
        waiting = room.client = asyncio.get_running_loop().create_future()
        try:
            process = await within(self._free_process(room, waiting), self._wait)
        except GaveWay:
            return _refused(403, "Another client is at this path.")
        except asyncio.TimeoutError:
            return _refused(502, "The process is not there.")
        finally:
            if room.client is waiting:
                room.client = None
            waiting.cancel()
        client = Member.accept(request)
        if client is not None:
            room.process, room.pair = None, (process, client)
            client.ended.add_done_callback(lambda _: self._left(path, room, client))
            client.meet(process)
        return ConnectionPassed()

    async def _free_process(self, room: Room, waiting: asyncio.Future[Member]) -> Member:
        """Wait for a process that has no client.

        Raises:
            GaveWay: its client is alive, or another client has come to wait.
        """
        if room.process is not None:
            return room.process
        if room.pair is not None:
            looking = room.looking = room.looking or asyncio.create_task(self._lives(room, room.pair[1]))
            either: set[asyncio.Future[Any]] = {looking, waiting}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and looking.result():
                raise GaveWay
        return await waiting

    async def _lives(self, room: Room, client: Member) -> bool:
        """Whether the client of the process is alive. If not, the connection was lost without either end noticing: it
        is closed, and the process connects again."""
        try:
            lives = await client.lives()
            if not lives:
                client.abort()
            return lives
        finally:
            room.looking = None

    def _left(self, path: str, room: Room, member: Member) -> None:
        if room.process is member:
            room.process = None
        if room.pair is not None and member in room.pair:
            room.pair = None
        self._tidy(path, room)

    def _tidy(self, path: str, room: Room) -> None:
        if room.empty and self._rooms.get(path) is room:
            del self._rooms[path]


def _refused(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
