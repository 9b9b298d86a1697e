"""Plays a recording to one client: publications at their pace, and recorded responses to its calls."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import suppress

from wslink.errors import METHOD_NOT_FOUND, MethodError
from wslink.hub.publishing import slot_of
from wslink.hub.topics import Subscription, Topic
from wslink.replay.tape import Asked, Exchange, Shown, Tape, key_of
from wslink.waiting import within
from wslink.wire import recording
from wslink.wire.recording import Tags
from wslink.wire.value import Value


class Pace:
    """The speed at which recordings are played. Not thread-safe.

    Attributes:
        speed: recorded seconds per second; infinite for everything at once, 0 for single steps.
        loop: whether to start again at the end.
    """

    def __init__(self, speed: float = 1.0, loop: bool = False) -> None:
        self.speed = speed
        self.loop = loop


class Player:
    """Plays to one client, from its first subscription on.

    Args:
        tape: the recording.
        topics: the topics to publish on.
        pace: the speed.
        strict: respond only to calls with recorded arguments; otherwise others get the latest response of their method.
        ask: calls the client.
    """

    def __init__(
        self,
        tape: Tape,
        topics: Mapping[str, Topic],
        client_id: str,
        pace: Pace,
        strict: bool,
        ask: Callable[[str, Asked], object],
    ) -> None:
        self.position: int = 0
        """Publications that it has sent."""
        self._tape = tape
        self._topics = topics
        self._client_id = client_id
        self._pace = pace
        self._strict = strict
        self._ask = ask
        self._asked = 0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._steps = 0
        self._time = tape.shown[0].time if tape.shown else 0.0
        self._since = 0.0
        self._calls: Counter[tuple[str, Hashable]] = Counter()
        self._whole: set[str] = set()  # "reliable" topics of which it has got everything

    # Publications ---------------------------------------------------------------

    @property
    def time(self) -> float:
        """The current position, in recorded seconds."""
        passed = asyncio.get_running_loop().time() - self._since if self._task is not None else 0.0
        return self._time if self._pace.speed in (0.0, math.inf) else self._time + passed * self._pace.speed

    def subscribed(self, subscription: Subscription) -> None:
        """The client has subscribed, or has replaced a filter: start, or send what it would have received."""
        if self._task is None:
            self._since = asyncio.get_running_loop().time()
            self._task = asyncio.get_running_loop().create_task(self._play())
        topic, selection = subscription.topic, _Selection(subscription)
        before = [one for one in self._tape.shown[: self.position] if one.topic == topic.name and selection.wants(one)]
        if topic.delivery == "latest":
            newest = {slot_of(one.topic, selection.tags(one), None): one for one in before}
            before = sorted(newest.values(), key=lambda one: one.time)
        elif topic.name in self._whole:
            before = []
        self._whole.add(topic.name)
        for one in before:
            selection.send(one)

    def step(self, count: int) -> None:
        """Send the next publications at once."""
        self._steps += max(count, 0)
        self._changed.set()

    def paced(self, speed: float) -> None:
        """Continue from here at another speed, which `Pace.speed` is when this returns."""
        self._time = self.time
        self._since = asyncio.get_running_loop().time()
        self._pace.speed = speed
        self._changed.set()

    def stop(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._task.cancel()

    async def _play(self) -> None:
        shown = self._tape.shown
        while True:
            while self.position < len(shown):
                one = shown[self.position]
                await self._ask_until(one.time)
                await self._due(one.time)
                self.position += 1
                for subscription in self._topics[one.topic].subscriptions:
                    if subscription.client_id == self._client_id:
                        _Selection(subscription).send(one)
                        if not subscription.session.has_room:
                            await subscription.session.room_again()
                await asyncio.sleep(0)
            await self._ask_until(math.inf)
            if not (self._pace.loop and shown):
                return
            await self._again(shown[0].time)

    async def _again(self, begin: float) -> None:
        await asyncio.sleep(1)  # the last picture stays for a while
        self.position = self._asked = 0
        self._time, self._since = begin, asyncio.get_running_loop().time()

    async def _ask_until(self, time: float) -> None:
        """Make the calls to the client that were recorded before `time`, each when it is due. In single steps, they
        belong to the next publication."""
        asked = self._tape.asked
        while self._asked < len(asked) and asked[self._asked].time <= time:
            await self._due(asked[self._asked].time, 0)
            self._ask(self._client_id, asked[self._asked])
            self._asked += 1

    async def _due(self, time: float, steps: int = 1) -> None:
        """Wait until what was published at `time` is due, which takes this many steps."""
        while True:
            self._changed.clear()
            if self._steps:
                self._steps -= steps
                self._time, self._since = max(time, self.time), asyncio.get_running_loop().time()
                return
            speed, left = self._pace.speed, time - self.time
            if speed > 0 and (left <= 0 or speed == math.inf):
                self._time = max(self._time, time) if speed == math.inf else self._time
                return
            with suppress(asyncio.TimeoutError):
                await within(self._changed.wait(), left / speed if speed > 0 else None)

    # Calls ------------------------------------------------------------------------

    def respond(self, method: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """Return the recorded result of a call. Of several with the same arguments, each is used once in order, and
        then the last.

        Raises:
            MethodError: the recorded error, or there is no recorded call.
        """
        return _outcome(self._found(method, args, kwargs))

    async def stream(self, method: str, args: list[Value], kwargs: dict[str, Value]) -> AsyncIterator[Value]:
        """Yield the recorded items of a call, at their pace. Raises the same as `respond`, at the end."""
        found = self._found(method, args, kwargs)
        before = found.time
        for time, item in found.items:
            if self._pace.speed not in (0.0, math.inf):
                await asyncio.sleep((time - before) / self._pace.speed)
            before = time
            yield recording.decode(item)["result"]
        _outcome(found)

    def _found(self, method: str, args: list[Value], kwargs: dict[str, Value]) -> Exchange:
        """Find the recorded call for a call. Raises MethodError if there is none."""
        key = key_of(args, kwargs)
        same = self._tape.same.get((method, key))
        if same:
            found = same[min(self._calls[method, key], len(same) - 1)]
            self._calls[method, key] += 1
            return found
        known = self._tape.answered.get(method)
        if known and not self._strict:
            return known[max(bisect_right(known, self.time, key=_time_of) - 1, 0)]
        what = "these arguments" if known else "any arguments"
        raise MethodError(f"the recording holds no response to {method} with {what}", method, METHOD_NOT_FOUND)


class _Selection:
    """A subscription to a recording."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._names = _names(subscription.filter)

    def tags(self, one: Shown) -> Tags:
        """The tags of a publication. If they are unknown, the tags that the filter asks for are taken from its payload,
        if it has all of them."""
        if one.tags is not None:
            return one.tags
        return {name: one.entries[name] for name in self._names} if one.entries.keys() >= self._names else {}

    def wants(self, one: Shown) -> bool:
        """Whether it is sent a publication. If nothing is known that the filter asks for, it is."""
        tags = self.tags(one)
        return (one.tags is None and not tags) or self._subscription.matches(dict(tags))

    def send(self, one: Shown) -> None:
        """Send a publication if the filter matches."""
        if not self.wants(one):
            return
        topic, tags = self._subscription.topic, dict(self.tags(one))
        packed = self._subscription.session.encoder.pack(one.payload)
        slot = slot_of(topic.name, tags, None) if topic.delivery == "latest" and tags else None
        topic.deliver_to(self._subscription, packed, None, slot, tags)


def _names(filter: Mapping[str, Value]) -> frozenset[str]:
    """The tags that a filter asks for."""
    inner = [*filter.get("and", ()), *filter.get("or", ()), *([filter["not"]] if "not" in filter else ())]
    own = filter.keys() - {"and", "or", "not"}
    return frozenset(own).union(*map(_names, inner))


def _time_of(exchange: Exchange) -> float:
    return exchange.time


def _outcome(exchange: Exchange) -> Value:
    envelope = recording.decode(exchange.response) if exchange.response is not None else {}
    error = envelope.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        raise MethodError(str(error.get("message")), error.get("data"), code if isinstance(code, int) else None)
    return envelope.get("result")
