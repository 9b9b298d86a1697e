"""The backlog of a server: the bytes that are waiting in the queues of all its clients."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic

from wslink.hub.shares import LEAST_SHARE, share
from wslink.session.send_queue import OVERHEAD, Holder
from wslink.wire.frames import Message
from wslink.wire.limits import Limits

LARGE = 64 * 1024
"""The size from which buffers are counted once if messages share them, even if their envelopes differ."""
COUNTED_EACH = 1024
"""Messages of fewer bytes count in every queue in which they wait: tracking them would cost as much as they do."""
FAIR_SHARE = 4 * 1024 * 1024
"""Bytes that may wait for a client, whatever waits for the others, if an equal share is not less: one large result for
a client on a slow connection does not slow down the others (TURN-2)."""
LEAST_KEPT = 2 * 1024 * 1024
"""Bytes that may be kept for a client's return, whatever is kept for others (RES-4): twice what it may receive before
it acknowledges (RES-5)."""
FORGET_TIME = 0.002
"""Seconds per turn of the event loop for releasing the messages of clients that have gone."""
FORGET_EVERY = 64
"""Messages that are released before the clock is read."""


class Backlog:
    """Counts the bytes of waiting messages (session.send_queue.Ledger). A message that waits in many queues counts
    once, unless it is small, and so does a large buffer. Each place in a queue counts `OVERHEAD`.

    Args:
        limits: returns the limits that apply: `max_server_backlog` for waiting bytes, `max_outbox` and
            `max_server_outbox` above which nothing further is accepted from clients (LIM-6), `max_resume` and
            `max_server_resume` for what is kept for the return of clients, and `max_begun` for partly received messages
            (LIM-18). Beyond the latter, those kept longest are dropped, and their senders start them again.
        shed: called in the next turn of the event loop if too much is waiting.

    Attributes:
        bytes: the waiting bytes.
        kept, keepers, queues: see session.send_queue.QueueLedger.
    """

    def __init__(self, limits: Callable[[], Limits], shed: Callable[[], None]) -> None:
        self.bytes: int = 0
        self.kept: int = 0
        self.keepers: int = 0
        self.queues: int = 0
        self._limits = limits
        self._shed = shed
        self._waiting: dict[int, int] = {}  # the number of queues in which each piece waits
        self._forgotten: deque[Iterator[Message]] = deque()
        self._rest: asyncio.Handle | None = None  # releases the rest of these,
        self._loop: asyncio.AbstractEventLoop | None = None  # in the next turn of this loop
        self._forgetting = False
        self._shedding = self._relieving = False
        self._begun = 0
        self._holders: dict[Holder, None] = {}

    @property
    def over(self) -> bool:
        """Whether more is waiting than allowed."""
        return self.bytes + self.kept > self._limits().max_server_backlog

    @property
    def share(self) -> int:
        limits = self._limits()
        least = max(min(limits.max_server_outbox // max(self.queues, 1), FAIR_SHARE), LEAST_SHARE)
        return share(self.bytes, self.queues, limits.max_outbox, limits.max_server_outbox, least)

    @property
    def kept_share(self) -> int:
        limits, holders = self._limits(), max(self.keepers, self.queues)
        return share(self.bytes + self.kept, holders, limits.max_resume, limits.max_server_resume, LEAST_KEPT)

    def add(self, message: Message) -> None:
        self.bytes += OVERHEAD
        if message.size < COUNTED_EACH:
            self.bytes += message.size
        else:
            for key, size in _pieces(message):
                queues = self._waiting.get(key, 0)
                self._waiting[key] = queues + 1
                self.bytes += 0 if queues else size
        if not self._shedding:
            self.look()

    def look(self) -> None:
        """Schedule `shed` if too much is waiting."""
        if not self._shedding and self.over:
            self._shedding = True
            asyncio.get_running_loop().call_soon(self._relieve)

    def remove(self, message: Message) -> None:
        self.bytes -= OVERHEAD
        if message.size < COUNTED_EACH:
            self.bytes -= message.size
        else:
            for key, size in _pieces(message):
                queues = self._waiting[key] - 1
                if queues:
                    self._waiting[key] = queues
                else:
                    del self._waiting[key]
                    self.bytes -= size

    def forget(self, messages: Iterator[Message]) -> None:
        self._forgotten.append(messages)
        if self._forgetting:
            return  # a session ended while messages were being released
        loop = _running_loop()
        if loop is None or self._relieving:
            self._forget(math.inf)
        elif self._rest is None or self._loop is not loop:
            self._forget(FORGET_TIME)

    def _forget(self, seconds: float) -> None:
        """Release messages for a limited time, and continue in the next turn of the event loop (TURN-1)."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        self._forgetting = True
        try:
            self._forget_until(monotonic() + seconds)
        finally:
            self._forgetting = False
        if self._forgotten:
            self._loop = asyncio.get_running_loop()
            self._rest = self._loop.call_soon(self._forget, FORGET_TIME)

    def _forget_until(self, end: float) -> None:
        while self._forgotten:
            messages = list(itertools.islice(self._forgotten[0], FORGET_EVERY))
            for message in messages:
                self.remove(message)
            if len(messages) < FORGET_EVERY:
                self._forgotten.popleft()
            if monotonic() > end:
                break

    def hold(self, holder: Holder) -> None:
        self._holders[holder] = None
        self._begun += holder.begun
        self.kept += holder.begun
        limit = self._limits().max_begun
        while self._begun > limit:
            next(iter(self._holders)).forget_beginnings()

    def release(self, holder: Holder) -> None:
        del self._holders[holder]
        self._begun -= holder.begun
        self.kept -= holder.begun

    def _relieve(self) -> None:
        self._shedding, self._relieving = False, True
        self._forget(math.inf)  # first what belongs to clients that have gone
        try:
            if self.over:
                self._shed()
        finally:
            self._relieving = False


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _pieces(message: Message) -> list[tuple[int, int]]:
    """The parts of a message that are counted once, by ids that are valid while the message exists, and their bytes."""
    if message.size < LARGE:
        return [(id(message), message.size)]
    parts = message.source.parts if message.source is not None else [p for frame in message.frames for p in frame.parts]
    large = {id(part): len(part) for part in parts if len(part) >= LARGE}
    return [(id(message), message.size - sum(large.values())), *large.items()]
