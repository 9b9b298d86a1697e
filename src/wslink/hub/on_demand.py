"""Rendering on demand: a function is called when a viewer can accept a publication and something has changed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

from wslink.errors import RAISED, NotSerializable
from wslink.hub.filters import Tag, Tags
from wslink.hub.quality import Rendered
from wslink.hub.rounds import rounds
from wslink.hub.viewer import Seen, Viewer
from wslink.session.send_queue import left
from wslink.wire.codec import Encoder

logger: logging.Logger = logging.getLogger("wslink")

STILL_AFTER = 0.2
"""Seconds without a change after which a viewer gets a final publication at full quality."""
STEPS = 10
"""Quality steps between 0 and 1 for viewers that share renderings."""
SMOOTHING = 0.25
"""The weight of the latest call in the estimated duration of a call."""
WORTH_A_TIMER = 0.002
"""Calls that take at least this many seconds are started before the line runs out of data."""


class Stage(Protocol):
    """On-demand rendering's interface to its topic."""

    @property
    def name(self) -> str: ...

    @property
    def subscriptions(self) -> tuple[Any, ...]: ...

    check: Callable[[Any, Tags | None], None] | None
    """Raises UsageError for a payload that does not match the topic's declaration."""

    def deliver_to(self, subscription: Any, packed: Any, label: Rendered | None) -> None:
        """Send a payload, encoded for its session, to one subscription."""


class Stagehand(Protocol):
    """On-demand rendering's interface to its server."""

    def perform(self, function: Callable[[], Any]) -> Any:
        """Call a function of the application, and return its result, or an awaitable of it."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task."""


Render = Callable[[Viewer], Any]
RenderT = TypeVar("RenderT", bound=Render)


class _Rendering:
    """The result of a function, now or in the future, encoded once for each kind of client."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._packed: dict[Encoder, Any] = {}

    def pack(self, value: Any, encoder: Encoder) -> Any:
        """Encode and return `value` before the application can change it. If it cannot be encoded, `packed` raises the
        error."""
        if value is not None:
            with contextlib.suppress(NotSerializable):
                self._packed[encoder] = encoder.pack(value)
        return value

    async def pack_later(self, outcome: Awaitable[Any], encoder: Encoder) -> Any:
        """Like `pack`, after the function has ended."""
        return self.pack(await outcome, encoder)

    def packed(self, encoder: Encoder) -> Any:
        """Return the encoded result. Raises NotSerializable."""
        if encoder not in self._packed:
            self._packed[encoder] = encoder.pack(self.outcome.result())
        return self._packed[encoder]


class _Seat:
    """The state of one viewer: what it has to be called for, and whether it is being called."""

    __slots__ = ("ahead", "called", "due", "memory", "still", "subscription", "timer", "took", "watching", "woken")

    def __init__(self, subscription: Seen) -> None:
        self.subscription = subscription
        self.due = False
        """Whether something has changed, or has come to rest, since the last call."""
        self.still = False
        self.memory: dict[str, Any] = {}
        self.called = False
        self.watching = False
        self.woken = False
        self.timer: asyncio.TimerHandle | None = None
        self.took = 0.0
        """The estimated duration of a call, in seconds."""
        self.ahead: asyncio.TimerHandle | None = None
        """Looks at the viewer again when a rendering would be ready just in time."""

    @property
    def room(self) -> bool:
        """Whether the viewer can accept a publication."""
        flow = self.subscription.flow
        return flow is None or flow.window.open

    def takes(self, count: int) -> bool:
        """Whether this many publications may be sent before the page has handled any."""
        flow = self.subscription.flow
        return flow is not None and flow.window.room >= count

    def rest(self) -> None:
        """Cancel the timer that detects that nothing changes any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def look(self) -> None:
        """Cancel a pending look: the viewer is looked at now."""
        self.woken = False
        if self.ahead is not None:
            self.ahead.cancel()
            self.ahead = None

    def early(self, waiting: int) -> float:
        """Seconds for which waiting messages keep the viewer's line busy, beyond the duration of a call; infinite if
        unknown."""
        rate = self.subscription.rate
        return waiting / rate - self.took if rate else math.inf


class OnDemand:
    """Calls a function for each viewer of a topic that can accept a publication. Runs on the event loop's thread.

    A viewer can accept one when its window is open and nothing of the topic is waiting in its queue, or only as much as
    its line transmits while the function runs. A client without `flow`, which has no window, can accept one when
    nothing of the topic is waiting.

    Args:
        stage: the topic.
        function: see Topic.on_demand.
        server: see Stagehand.
        share: see Topic.on_demand.
    """

    def __init__(self, stage: Stage, function: Render, server: Stagehand, share: bool = False) -> None:
        self.function: Render = function
        self._stage = stage
        self._server = server
        self._share = share
        self._seats: dict[tuple[object, int], _Seat] = {}
        self._shared: dict[Hashable, _Rendering] = {}
        """With `share`: what was rendered since the last change, oldest first."""

    def begin(self, before: OnDemand | None) -> None:
        """Add the existing subscriptions, which are removed from the renderer that this one replaces."""
        for subscription in self._stage.subscriptions:
            if before is not None:
                before.leave(subscription)
            self.join(subscription)

    def join(self, subscription: Seen) -> None:
        """A subscription has begun, or replaces one with another filter."""
        key = subscription.session, subscription.id
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = _Seat(subscription)
        seat.subscription = subscription
        if subscription.flow is not None:
            subscription.flow.window.on_open = lambda: self._wake(seat)
        self._disturb(seat)

    def leave(self, subscription: Seen) -> None:
        """A subscription has ended."""
        seat = self._seats.pop((subscription.session, subscription.id), None)
        if seat is not None:
            seat.rest()
            seat.look()
            seat.due = False
            self._keep_few()

    def changed(self, tags: Mapping[str, Tag] | None = None) -> None:
        """Something has changed, for everyone or for those whose filter matches `tags`."""
        self._shared.clear()
        for seat in tuple(self._seats.values()):
            if tags is None or seat.subscription.matches(tags):
                self._disturb(seat)

    def _disturb(self, seat: _Seat) -> None:
        seat.rest()
        seat.due, seat.still = True, False
        seat.timer = asyncio.get_running_loop().call_later(
            STILL_AFTER, self._come_to_rest, seat, context=contextvars.Context()
        )
        self._wake(seat)

    def _come_to_rest(self, seat: _Seat) -> None:
        seat.timer = None
        seat.due = seat.still = True
        self._wake(seat)

    def _wake(self, seat: _Seat) -> None:
        """Look at a viewer in one of the next turns of the event loop, outside the current call. Rendering may take
        time, so clients take turns."""
        if seat.due and not seat.called and not seat.woken:
            seat.woken = True
            rounds().add(seat.subscription.session, partial(self._look_at, seat))

    def _look_at(self, seat: _Seat) -> None:
        seat.look()
        if not seat.due or seat.called or not seat.subscription.active or not seat.room or self._too_early(seat):
            return
        seat.due, seat.called = False, True
        subscription, begun = seat.subscription, monotonic()
        rendering = self._render(subscription, Viewer(subscription, self._quality(seat), seat.still, seat.memory))
        if rendering.outcome.done():
            self._finish(seat, subscription, rendering, begun)
        else:
            rendering.outcome.add_done_callback(lambda _: self._finish(seat, subscription, rendering, begun))

    def _too_early(self, seat: _Seat) -> bool:
        """Whether a rendering that starts now would be ready while earlier publications of the topic are still waiting
        for the viewer. If so, the viewer is looked at again in time."""
        name, queue = self._stage.name, seat.subscription.session.queue
        if not queue.holds(name):
            return False
        waiting, unbegun = left(queue, name)
        early = seat.early(waiting)
        if early <= 0 and seat.takes(unbegun + 1):
            return False
        if not seat.watching:
            seat.watching = True
            queue.watch(name, lambda: self._free(seat))
        if seat.took > WORTH_A_TIMER and 0 < early < math.inf:
            seat.ahead = asyncio.get_running_loop().call_later(early, self._wake, seat, context=contextvars.Context())
        return True

    def _free(self, seat: _Seat) -> None:
        """Nothing of the topic is waiting for the client any more."""
        seat.watching = False
        self._wake(seat)

    def _quality(self, seat: _Seat) -> float:
        quality = 1.0 if seat.still else seat.subscription.quality
        if not self._share:
            return quality
        return max(math.floor(quality * STEPS + 1e-9) / STEPS, min(quality, 1 / (2 * STEPS)))

    def _render(self, subscription: Seen, viewer: Viewer) -> _Rendering:
        """Call the function, or reuse what it returned for another viewer."""
        rendering = _Rendering(viewer)
        if self._share:
            key = _frozen(subscription.filter), viewer.quality, viewer.still
            if (found := self._shared.get(key)) is not None:
                return found
            viewer.memory = {}
            self._shared[key] = rendering
            self._keep_few()
        try:
            outcome = self._server.perform(partial(self._call, rendering, subscription.session.encoder))
            if inspect.isawaitable(outcome):
                self._server.spawn(self._await(outcome, rendering))
            else:
                rendering.outcome.set_result(outcome)
        except RAISED:
            self._failed(rendering)
        return rendering

    def _keep_few(self) -> None:
        """Forget the oldest shared renderings. Without a change, a viewer needs two, the second when it is still; one
        that replaces its filter again and again would leave behind all others."""
        while len(self._shared) > 2 * len(self._seats):
            del self._shared[next(iter(self._shared))]

    def _call(self, rendering: _Rendering, encoder: Encoder) -> Any:
        """Runs on the application's thread."""
        outcome = self.function(rendering.viewer)
        if inspect.isawaitable(outcome):
            return rendering.pack_later(outcome, encoder)
        return rendering.pack(outcome, encoder)

    async def _await(self, outcome: Awaitable[Any], rendering: _Rendering) -> None:
        try:
            rendering.outcome.set_result(await outcome)
        except RAISED:
            self._failed(rendering)
        finally:
            rendering.outcome.cancel()  # if the server has stopped in the meantime

    def _failed(self, rendering: _Rendering) -> None:
        logger.exception("topic %s: %r raised", self._stage.name, self.function)
        rendering.outcome.set_result(None)

    def _finish(self, seat: _Seat, subscription: Seen, rendering: _Rendering, begun: float) -> None:
        """Send a viewer what was rendered, unless its filter has changed, and check whether it has to be called
        again."""
        seat.called = False
        seat.took += (monotonic() - begun - seat.took) * SMOOTHING
        if rendering.outcome.cancelled() or not subscription.active:
            self._wake(seat)
            return
        viewer = rendering.viewer
        if rendering.outcome.result() is not None:
            try:
                if self._stage.check is not None:
                    self._stage.check(rendering.outcome.result(), None)
                packed = rendering.packed(subscription.session.encoder)
                label = None if viewer.still else Rendered(viewer.quality, viewer.parts)
                self._stage.deliver_to(subscription, packed, label)
            except RAISED as error:
                logger.error("topic %s: what %r returned cannot be sent: %s", self._stage.name, self.function, error)
        seat.due = seat.due or (viewer.wants_more and not self._share)
        self._wake(seat)


def _frozen(value: Any) -> Hashable:
    """Convert a filter to a hashable value that does not depend on the order of its conditions."""
    if isinstance(value, Mapping):
        return tuple(sorted(((name, _frozen(one)) for name, one in value.items()), key=lambda pair: str(pair[0])))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(one) for one in value)
    return type(value), value
