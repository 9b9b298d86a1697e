"""A subscription of a link, and the inbox that the link fills."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

from wslink.errors import SubscriptionOverflow, WslinkError
from wslink.wire.value import Value

OVERFLOW_FACTOR = 8
"""How far over its buffer an inbox may grow while the link reads on for the sake of others."""
MAX_WINDOW = 1024
MIN_RATE, MAX_RATE = 0.001, 1000.0
"""What a subscriber may choose (FLOW-6): publications, and publications per second."""
STUCK_AFTER = 1.0
"""Seconds without taking anything after which a subscriber no longer counts as slow, but as stuck."""

Settle = Callable[[int, int, float], None]


class Inbox:
    """The payloads of one subscription that wait for its subscriber. Both the link and the subscriber's handle refer to
    it.

    Attributes:
        id: the subscription's number (SUB-2).
        topic: the topic's name.
        ready: see ClientSubscription.
        latest: whether the server keeps only the newest publication of each key for a client that is behind (SUB-13).
        windowed: whether the server sends no more than the subscriber's window allows (FLOW-6).
        pace: the window and the rate that the subscriber chose, as they are sent to the server.
        filter: the latest one that the server has accepted.

    Args:
        settle: called with the id, how many publications the subscriber has handled so far, and the seconds that the
            last one took.
    """

    def __init__(self, id_: int, topic: str, buffer: int, pace: Mapping[str, float], settle: Settle) -> None:
        self._loop = asyncio.get_running_loop()
        self.id = id_
        self.topic = topic
        self.latest = False
        self.windowed = False
        self.pace = pace
        self.filter: Mapping[str, Value] | None = None
        self._settle = settle
        self._taken = 0
        self._before = 0  # those of sessions before, of which this one counts none
        self._is_out = False  # whether the subscriber has one in its hands
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._buffer = buffer
        self._waiting: deque[Value] = deque()
        self._taken_at = self._loop.time()
        self._arrived = asyncio.Event()
        self._end: WslinkError | None = None
        self._ended = False
        # A caller that never looks at `ready` learns of a failure from the iteration; asyncio need not complain.
        self.ready.add_done_callback(lambda future: future.cancelled() or future.exception())

    @property
    def full(self) -> bool:
        """Whether the number of waiting payloads has reached the buffer's size."""
        return len(self._waiting) >= self._buffer

    @property
    def is_behind(self) -> bool:
        """Whether it is full, and only pausing to read would make the server wait."""
        return not self.windowed and self.full

    @property
    def is_skipping(self) -> bool:
        """Whether it is worth waiting for a full inbox: the server skips to the newest publication in the meantime, and
        the subscriber is slow rather than stuck."""
        return self.latest and self._loop.time() - self._taken_at < STUCK_AFTER

    def put(self, payload: Value) -> bool:
        """Add a publication. Returns False if there was no room: the subscription has ended with
        SubscriptionOverflow."""
        if self._ended:
            return True
        room = self._buffer * OVERFLOW_FACTOR
        if len(self._waiting) >= (max(room, MAX_WINDOW) if self.windowed else room):
            why = f"{len(self._waiting)} payloads of {self.topic} wait, over {OVERFLOW_FACTOR} x buffer"
            self.end(SubscriptionOverflow(why))
            return False
        self._waiting.append(payload)
        self._arrived.set()
        return True

    async def take(self) -> Value:
        """Take the next payload; the previous one has been handled. Raises the error that ended the subscription, or
        StopAsyncIteration."""
        if self._is_out:
            self._is_out = False
            self._settled(self._taken, self._loop.time() - self._taken_at)
        while not self._waiting:
            if self._end is not None:
                raise self._end
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._taken_at = self._loop.time()
        self._taken += 1
        self._is_out = True
        return self._waiting.popleft()

    def _settled(self, count: int, duration: float) -> None:
        if not self._ended and count > self._before:
            self._settle(self.id, count - self._before, duration)

    def begin_again(self) -> None:
        """A session begins after another. The server counts from zero again."""
        self._before = self._taken + len(self._waiting)

    def end(self, error: WslinkError | None, unready: WslinkError | None = None) -> None:
        """No more payloads will arrive. Iteration ends after those that are waiting, with `error` if there is one.
        Whoever waits for `ready` gets `unready` or `error`; if both are None, `ready` is cancelled."""
        if self._ended:
            return
        self._settled(self._taken + len(self._waiting), 0.0)  # nothing waits for this subscriber any more
        self._ended = True
        self._end = error
        if error is None:
            self._waiting.clear()
        if not self.ready.done():
            unready = unready or error
            if unready is None:
                self.ready.cancel()
            else:
                self.ready.set_exception(unready)
        self._arrived.set()


class Subscriber(Protocol):
    """The link of a subscription."""

    def made_room(self) -> None: ...

    async def update_subscription(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None: ...

    def cancel_subscription(self, inbox: Inbox) -> asyncio.Task[None]: ...

    def abandon_subscription(self, inbox: Inbox) -> None: ...


class ClientSubscription:
    """An asynchronous iterator over the payloads of a topic. Created by `Link.subscribe`.

    It lasts until it is cancelled or no longer referenced: leaving `async for x in link.subscribe(...)` ends it.

    When `buffer` payloads are waiting, the link stops reading, so that the server's delivery applies ("latest" topics
    then skip to the newest), as long as this delays nothing else. While a call waits for its result, or another
    subscription has room, the link reads on past a subscriber that is stuck (it took nothing for a second) or whose
    topic is not "latest". A subscription with 8 times its buffer waiting ends with SubscriptionOverflow.

    Attributes:
        topic: the topic's name.
        id: its number on this link.
        ready: a future that is done when the server has accepted the subscription; it raises CallError if it was
            refused.
    """

    def __init__(self, link: Subscriber, inbox: Inbox) -> None:
        self.topic: str = inbox.topic
        self.id: int = inbox.id
        self.ready: asyncio.Future[None] = inbox.ready
        self._link = link
        self._inbox = inbox
        self._abandoned = weakref.finalize(self, _abandon, asyncio.get_running_loop(), link, inbox)
        self._abandoned.atexit = False

    @property
    def full(self) -> bool:
        """Whether as many payloads wait as its buffer holds."""
        return self._inbox.full

    def __aiter__(self) -> ClientSubscription:
        return self

    async def __anext__(self) -> Value:
        await self._wait_ready()
        try:
            payload = await self._inbox.take()
        except (WslinkError, StopAsyncIteration):  # it is over; keeping its error would keep this object alive
            self._abandoned.detach()
            raise
        self._link.made_room()
        return payload

    async def _wait_ready(self) -> None:
        """Wait for `ready` without cancelling it if the waiter is cancelled."""
        if not self.ready.done():
            await asyncio.wait({self.ready})

    async def update(self, filter: Mapping[str, Value] | None) -> None:
        """Replace the filter without missing a publication. Raises CallError if the server refuses the new filter,
        and then keeps the old one; UsageError once the subscription has ended."""
        await self._link.update_subscription(self._inbox, filter)

    def cancel(self) -> asyncio.Task[None]:
        """End the subscription; iteration stops. The returned task need not be awaited. Safe to call more than
        once."""
        return self._link.cancel_subscription(self._inbox)

    async def __aenter__(self) -> ClientSubscription:
        await self._wait_ready()
        if not self.ready.cancelled():
            self.ready.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cancel()


def _abandon(loop: asyncio.AbstractEventLoop, link: Subscriber, inbox: Inbox) -> None:
    """Cancel a subscription without references. The garbage collector calls this on any thread."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the link
        loop.call_soon_threadsafe(link.abandon_subscription, inbox)
