"""Rendering on demand: a function is called when a viewer can take a publication and something has changed."""

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
"""Seconds without a change after which a viewer is called once more, for the sharp picture."""
STEPS = 10
"""Quality steps between 0 and 1 of viewers that share."""
SMOOTHING = 0.25
"""How much the latest call counts in what calls take."""
WORTH_A_TIMER = 0.002
"""Seconds that calls have to take so that one is made before the line has nothing left to carry."""


class Stage(Protocol):
    """On-demand rendering's interface to its topic."""

    @property
    def name(self) -> str: ...

    @property
    def subscriptions(self) -> tuple[Any, ...]: ...

    check: Callable[[Any, Tags | None], None] | None
    """Raises UsageError for a payload that is not as the topic declares."""

    def deliver_to(self, subscription: Any, packed: Any, label: Rendered | None) -> None:
        """Send one subscription what was encoded for its session."""


class Stagehand(Protocol):
    """On-demand rendering's interface to its server."""

    def perform(self, function: Callable[[], Any]) -> Any:
        """What a function of the application returns, or what gives that once it is awaited."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task."""


Render = Callable[[Viewer], Any]
RenderT = TypeVar("RenderT", bound=Render)


class _Rendering:
    """The result of a function, present or future, encoded once for each kind of client."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._packed: dict[Encoder, Any] = {}

    def pack(self, value: Any, encoder: Encoder) -> Any:
        """Encode what the function has returned before it can change; gives it back. Where that cannot be sent,
        `packed` says why."""
        if value is not None:
            with contextlib.suppress(NotSerializable):
                self._packed[encoder] = encoder.pack(value)
        return value

    async def pack_later(self, outcome: Awaitable[Any], encoder: Encoder) -> Any:
        """As `pack`, once the function has ended."""
        return self.pack(await outcome, encoder)

    def packed(self, encoder: Encoder) -> Any:
        """Raises NotSerializable."""
        if encoder not in self._packed:
            self._packed[encoder] = encoder.pack(self.outcome.result())
        return self._packed[encoder]


class _Seat:
    """One viewer's place: what it is to be called for, and whether it is being called."""

    __slots__ = ("ahead", "called", "due", "memory", "still", "subscription", "timer", "took", "watching", "woken")

    def __init__(self, subscription: Seen) -> None:
        self.subscription = subscription
        self.due = False
        """Whether something has changed, or it has come to rest, since it was called."""
        self.still = False
        self.memory: dict[str, Any] = {}
        self.called = False
        self.watching = False
        self.woken = False
        self.timer: asyncio.TimerHandle | None = None
        self.took = 0.0
        """Seconds that the latest calls have taken, about."""
        self.ahead: asyncio.TimerHandle | None = None
        """Looks at it again when what it is called for would be ready in time."""

    @property
    def room(self) -> bool:
        """Whether it can take a publication."""
        flow = self.subscription.flow
        return flow is None or flow.window.open

    def takes(self, count: int) -> bool:
        """Whether so many publications may be sent before its page has dealt with any."""
        flow = self.subscription.flow
        return flow is not None and flow.window.room >= count

    def rest(self) -> None:
        """Let the time without a change begin anew, or end for good."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def look(self) -> None:
        """It is looked at now, and not later."""
        self.woken = False
        if self.ahead is not None:
            self.ahead.cancel()
            self.ahead = None

    def early(self, waiting: int) -> float:
        """Seconds for which what waits for it keeps its line busy, beyond what a call takes; infinite if unknown."""
        rate = self.subscription.rate
        return waiting / rate - self.took if rate else math.inf


class OnDemand:
    """Calls a function for each viewer of a topic that can take a publication. On the event loop's thread.

    A viewer can take one when its window is open and nothing of the topic waits in its queue, or only what its line
    carries while the function is at work; of a client without `flow`, which has no window, when nothing of it waits.

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
        """Where viewers share: what was rendered since the last change."""

    def begin(self, before: OnDemand | None) -> None:
        """Take over the subscriptions that there are, from the one that it takes the place of."""
        for subscription in self._stage.subscriptions:
            if before is not None:
                before.leave(subscription)
            self.join(subscription)

    def join(self, subscription: Seen) -> None:
        """A subscription has begun, or takes the place of one with another filter."""
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
        """Look at a viewer in one of the loop's next turns, outside of whatever call runs now. Rendering may take time:
        viewers have their turns as their clients have."""
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
        """Whether what is called for now would be ready while earlier publications of the topic still wait for the
        viewer: it is looked at again in time."""
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
        """Nothing of the topic waits for its client any more."""
        seat.watching = False
        self._wake(seat)

    def _quality(self, seat: _Seat) -> float:
        quality = 1.0 if seat.still else seat.subscription.quality
        if not self._share:
            return quality
        return max(math.floor(quality * STEPS + 1e-9) / STEPS, min(quality, 1 / (2 * STEPS)))

    def _render(self, subscription: Seen, viewer: Viewer) -> _Rendering:
        """Call the function, or have what it gave another viewer."""
        key = _frozen(subscription.filter), viewer.quality, viewer.still
        if self._share and (found := self._shared.get(key)) is not None:
            return found
        rendering = _Rendering(viewer)
        if self._share:
            viewer.memory = {}
            self._shared[key] = rendering
        try:
            outcome = self._server.perform(partial(self._call, rendering, subscription.session.encoder))
            if inspect.isawaitable(outcome):
                self._server.spawn(self._await(outcome, rendering))
            else:
                rendering.outcome.set_result(outcome)
        except RAISED:
            self._failed(rendering)
        return rendering

    def _call(self, rendering: _Rendering, encoder: Encoder) -> Any:
        """On the application's thread."""
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
            rendering.outcome.cancel()  # if the server has stopped meanwhile

    def _failed(self, rendering: _Rendering) -> None:
        logger.exception("topic %s: %r raised", self._stage.name, self.function)
        rendering.outcome.set_result(None)

    def _finish(self, seat: _Seat, subscription: Seen, rendering: _Rendering, begun: float) -> None:
        """Send a viewer what was rendered, unless its filter has changed, and see whether it is to be called again."""
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
    """A filter as something that can be compared and hashed, whatever the order of its conditions."""
    if isinstance(value, Mapping):
        return tuple(sorted(((name, _frozen(one)) for name, one in value.items()), key=lambda pair: str(pair[0])))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(one) for one in value)
    return type(value), value
