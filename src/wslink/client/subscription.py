"""A subscription as its subscriber sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wslink.errors import SubscriptionOverflow, WslinkError

if TYPE_CHECKING:
    from wslink.client.link import Link

OVERFLOW_FACTOR = 8
"""How far over its buffer a subscription may grow while a call's result has to be read past it."""


class ClientSubscription:
    """An asynchronous iterator over the payloads of a topic. Made by `Link.subscribe`.

    A subscriber that falls behind by `buffer` payloads makes the link stop reading, so that the server's delivery takes
    over ("latest" topics then skip to the newest). While a call waits for its result the link reads on, and a
    subscription that gets 8 times over its buffer ends with SubscriptionOverflow.

    Attributes:
        topic: the topic's name.
        ready: a future that is done once the server has subscribed; raises CallError if it refused.
    """

    def __init__(self, link: Link, id_: int, topic: str, buffer: int) -> None:
        self.topic = topic
        self.id = id_
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._link = link
        self._buffer = buffer
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._end: WslinkError | None = None
        self._ended = False
        # A caller that never looks at `ready` learns of a failure from the iteration; asyncio need not complain.
        self.ready.add_done_callback(lambda future: future.cancelled() or future.exception())

    @property
    def full(self) -> bool:
        """Whether as many payloads wait as its buffer holds."""
        return len(self._waiting) >= self._buffer

    def __aiter__(self) -> ClientSubscription:
        return self

    async def __anext__(self) -> Any:
        await self._wait_ready()
        while not self._waiting:
            if self._end is not None:
                raise self._end
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        payload = self._waiting.popleft()
        self._link.made_room()
        return payload

    async def _wait_ready(self) -> None:
        """Wait for `ready` without making it share the fate of whoever waits."""
        if not self.ready.done():
            await asyncio.wait({self.ready})

    async def update(self, filter: Mapping[str, Any] | None) -> None:
        """Replace the filter, at once and without a gap. Raises CallError if the server refuses it, which leaves
        the old one; UsageError once the subscription has ended."""
        await self._link.update_subscription(self, filter)

    def cancel(self) -> asyncio.Task[None]:
        """End the subscription; iteration stops. The task that is returned need not be awaited. Safe to call more
        than once."""
        self.end(None)
        return self._link.cancel_subscription(self)

    async def __aenter__(self) -> ClientSubscription:
        await self._wait_ready()
        if not self.ready.cancelled():
            self.ready.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cancel()

    # Called by the link.

    def put(self, payload: Any) -> None:
        """A publication arrived."""
        if self._ended:
            return
        if len(self._waiting) >= self._buffer * OVERFLOW_FACTOR:
            self.end(
                SubscriptionOverflow(
                    f"{len(self._waiting)} payloads of {self.topic} wait, over {OVERFLOW_FACTOR} x buffer"
                )
            )
            self._link.cancel_subscription(self)
            return
        self._waiting.append(payload)
        self._arrived.set()

    def end(self, error: WslinkError | None, unready: WslinkError | None = None) -> None:
        """No more will come: iteration ends after what waits, with `error` if there is one. Whoever waits for `ready`
        gets `unready`, or `error`; if there is neither, `ready` is cancelled."""
        if self._ended:
            return
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
