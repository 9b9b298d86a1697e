"""The Python client of a history. client.mjs is the same in JavaScript."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import wslink
from tests.history import flows
from tests.history.filling import filled
from tests.history.server import KEYS, LARGE, LARGE_AT, LARGE_EVERY, SIZES, TOPICS

MAX_WAITING = 40
"""Calls that wait for their response."""
OTHERS = 0.2
"""The share of calls that are streams, uploads and calls with progress."""
MAX_ITEMS = 40
RECONNECT = wslink.Reconnect(initial=0.02, max=0.1)


class Speaker:
    """Calls all the time, and logs what it sends and what arrives.

    Args:
        name: by which the server knows its calls.
        url: leads to the server over a line.
        chance: decides on sizes and pauses.
        pace: the longest pause between bursts of calls, in seconds.
    """

    def __init__(self, name: str, url: str, chance: random.Random, pace: float) -> None:
        self.name = name
        self._url = url
        self._chance = chance
        self._pace = pace
        self.log: dict[str, Any] = {
            "sent": 0, "small": [], "answered": [], "errors": [], "verdicts": [], "served": [],
            "published": [[] for _ in range(TOPICS)], "frames": [[] for _ in range(KEYS)],
        }  # fmt: skip
        self._calls: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._link: wslink.Link
        self._speaking: asyncio.Task[None]

    async def begin(self) -> None:
        self._link = await wslink.connect(self._url, secret="history", reconnect=RECONNECT)
        self._link.on_reconnected(lambda verdict: self.log["verdicts"].append([verdict.resumed, verdict.reason]))
        for topic in range(TOPICS):
            await self._subscribe(f"history.t{topic}", lambda p, topic=topic: self.log["published"][topic].append(p[0]))
        await self._subscribe("history.frames", lambda p: self.log["frames"][p[2]].append(p[0]))
        self._link.handle("history.asked", self._serve)
        await self._link.call("history.enrol", self.name)
        self._speaking = asyncio.create_task(self._speak())

    def _serve(self, number: int, data: bytes) -> list[Any]:
        self.log["served"].append([number, len(data)])
        if data != filled(number, len(data)):
            self.log["errors"].append(f"argument of call {number} of the server is broken")
        return [number, data]

    def returned(self) -> bool:
        """Whether it has its session again, as far as this process knows."""
        return self._link.state == "open"

    async def call(self, method: str) -> Any:
        """A call that is not logged."""
        return await self._link.call(method)

    async def _subscribe(self, topic: str, note: Any) -> None:
        subscription = self._link.subscribe(topic, buffer=4096)
        await subscription.ready
        self._tasks.append(asyncio.create_task(self._listen(subscription, note)))

    async def _listen(self, subscription: wslink.ClientSubscription, note: Any) -> None:
        try:
            async for payload in subscription:
                if payload[1].count(payload[0] % 251) != len(payload[1]):
                    self.log["errors"].append(f"publication {payload[0]} of {subscription.topic} is broken")
                note(payload)
        except wslink.LinkError as error:
            self.log["errors"].append(f"{subscription.topic}: {error!r}")

    async def _speak(self) -> None:
        chance = self._chance
        while True:
            for _ in range(chance.randrange(3)):
                if len(self._calls) < MAX_WAITING:
                    task = asyncio.create_task(self._call(self.log["sent"]))
                    self.log["sent"] += 1
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
            await asyncio.sleep(chance.random() * self._pace)

    async def _call(self, number: int) -> None:
        chosen = self._chance.random()
        kinds = (self._count, self._upload, self._watch)
        make = kinds[int(chosen / OTHERS * len(kinds))] if chosen < OTHERS else self._execute
        try:
            if not await make(number):
                self.log["errors"].append(f"call {number} has the result of another")
            self.log["answered"].append(number)
        except Exception as error:
            self.log["errors"].append(f"call {number}: {error!r}")

    async def _execute(self, number: int) -> bool:
        large = LARGE if number % LARGE_EVERY == LARGE_AT else 0
        given, wanted = large or self._chance.choice(SIZES), self._chance.choice(SIZES)
        method = self._chance.choice(("execute", "late"))
        if given <= 2000 and method == "execute":  # the first step of an async method may come later
            self.log["small"].append(number)
        result = await self._link.call(f"history.{method}", self.name, number, filled(number, given), wanted)
        return result == [number, given, filled(number, wanted)]

    async def _count(self, number: int) -> bool:
        """A stream: each item once, and in order."""
        items, arrived, right = self._chance.randrange(MAX_ITEMS), 0, True
        async for same, place, data in self._link.stream("history.count", self.name, number, items):
            right &= (same, place) == (number, arrived) and data == filled(number + place, len(data))
            arrived += 1
        return right and arrived == items

    async def _upload(self, number: int) -> bool:
        items = self._chance.randrange(MAX_ITEMS)

        async def parts() -> AsyncIterator[list[Any]]:
            for place in range(items):
                yield [place, filled(number + place, self._chance.choice(flows.SIZES))]

        return await self._link.call("history.collect", self.name, number, parts()) == items

    async def _watch(self, number: int) -> bool:
        """Progress in order, and none after the response."""
        seen: list[int] = []
        over = False

        def take(step: int) -> None:
            if over or (seen and step <= seen[-1]):
                self.log["errors"].append(f"progress {step} of call {number} after {seen[-1:]}, or the response")
            seen.append(step)

        steps = self._chance.randrange(MAX_ITEMS)
        result = await self._link.with_options(on_progress=take).call("history.steps", self.name, number, steps)
        over = True
        return result == steps and all(step < steps for step in seen)

    async def stop(self) -> None:
        """Call no more, and wait for the results of what was called."""
        self._speaking.cancel()
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=60)

    async def end(self, published: list[int], newest: list[int]) -> dict[str, Any]:
        """Wait for what was published; the log."""
        for _ in range(600):
            arrived = [len(numbers) for numbers in self.log["published"]]
            newest_here = [numbers[-1] if numbers else -1 for numbers in self.log["frames"]]
            if arrived >= published and newest_here == newest:
                break
            await asyncio.sleep(0.1)
        self.log["epoch"] = self._link.epoch
        await self._link.close()
        for task in self._tasks:
            task.cancel()
        return self.log
