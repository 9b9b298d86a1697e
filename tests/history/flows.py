"""What a server does in a history beside results and publications: streams, progress, and calls of its clients."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from tests.history.filling import filled
from wslink import App, Call, Client

SIZES = (10,) * 80 + (2_000,) * 18 + (40_000,) * 2
"""Bytes of items, and of arguments of calls of clients; the last are of several chunks."""
SMALL = 2_000
"""Of no more bytes, calls of a client are served in the order in which they are made."""
MAX_ASKED = 20
"""Calls of one client that wait for their response."""
PATIENCE = 60.0
"""Seconds after which a call of a client should have its response, once nothing is cut any more."""


class Flows:
    """Methods with streams and progress, and calls of all clients that enrol.

    Args:
        app: the server's.
        chance: decides on sizes and pauses.
        pace: the longest pause between calls of the clients, in seconds.
        executed: the numbers of what each client has called, in order.
        broken: what is wrong.

    Attributes:
        asked: how many calls of each client there were, by its name.
    """

    def __init__(
        self, app: App, chance: random.Random, pace: float, executed: dict[str, list[int]], broken: list[str]
    ) -> None:
        self.asked: dict[str, int] = {}
        self._app = app
        self._chance = chance
        self._pace = pace
        self._executed = executed
        self._broken = broken
        self._clients: dict[str, Client] = {}
        self._waiting: dict[str, set[asyncio.Task[None]]] = {}
        for name in ("enrol", "count", "collect", "steps"):
            app.method(f"history.{name}")(getattr(self, name))

    def enrol(self, name: str, call: Call) -> None:
        """A client serves `history.asked`."""
        self._clients[name] = self._app.clients[call.client_id]
        self._waiting[name] = set()
        self.asked[name] = 0

    async def count(self, client: str, number: int, items: int) -> AsyncIterator[list[Any]]:
        self._executed.setdefault(client, []).append(number)
        for place in range(items):
            yield [number, place, filled(number + place, self._chance.choice(SIZES))]
            await self._pause()

    async def collect(self, client: str, number: int, parts: AsyncIterator[list[Any]]) -> int:
        self._executed.setdefault(client, []).append(number)
        arrived = 0
        async for place, data in parts:
            if place != arrived or data != filled(number + place, len(data)):
                self._broken.append(f"item {place} of upload {number} of {client} came as the {arrived}th")
            arrived += 1
            await self._pause()
        return arrived

    async def steps(self, client: str, number: int, steps: int, call: Call) -> int:
        self._executed.setdefault(client, []).append(number)
        for step in range(steps):
            call.progress(step)
            await self._pause()
        return steps

    async def ask(self) -> None:
        """Call clients until it is cancelled."""
        while True:
            for name in self._clients:
                if len(self._waiting[name]) < MAX_ASKED:
                    task = asyncio.create_task(self._ask(name, self.asked[name]))
                    self.asked[name] += 1
                    self._waiting[name].add(task)
                    task.add_done_callback(self._waiting[name].discard)
            await asyncio.sleep(self._chance.random() * self._pace * 4)

    async def settle(self) -> None:
        """Wait for the responses of the clients."""
        waiting = set[asyncio.Task[None]]().union(*self._waiting.values())
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=PATIENCE)
            self._broken += [f"{len(late)} calls of clients have no response"] if late else []

    async def _ask(self, name: str, number: int) -> None:
        data = filled(number, self._chance.choice(SIZES))
        try:
            result = await self._clients[name].call("history.asked", number, data)
        except Exception as error:
            self._broken.append(f"call {number} of {name}: {error!r}")
        else:
            if result != [number, data]:
                self._broken.append(f"call {number} of {name} has the result of another")

    async def _pause(self) -> None:
        if self._chance.random() < 0.2:
            await asyncio.sleep(self._chance.random() / 50)
