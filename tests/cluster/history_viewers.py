"""The clients of a history, each of which checks what it gets; see history.py."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

from tests.cluster.history_program import HELLO, Worker
from tests.cluster.switch import Switch
from tests.peers import Peer
from wslink import Reconnect, connect
from wslink.client.events import Reconnected

LARGE = 300_000
"""Bytes of the publications that go from worker to worker by reference, of which there is one in every third burst."""


def is_damaged(number: int, content: list[bytes]) -> bool:
    """Whether what came with a publication is not what went with it."""
    return any(one != bytes([number % 256]) * LARGE for one in content)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it ends: `asyncio.wait_for` of Python 3.11 may lose a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


class Viewer:
    """A client of one worker, which connects again whenever its connection ends, and checks what it gets."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.peer: Peer | None = None
        self.last: dict[int, int] = {}
        self.values: dict[str, int] = {}
        self.count = 0
        self.sessions = 0
        self.codes: Counter[int | None] = Counter()
        self.broken = ""
        self.task = asyncio.create_task(self._run())

    def __str__(self) -> str:
        who = self.peer.client_id if self.peer is not None else "nobody"
        return f"{who} at port {self.worker.port}, {self.sessions} sessions, ends {dict(self.codes)}"

    async def _run(self) -> None:
        while not self.broken:
            with contextlib.suppress(Exception):
                await self._follow()
            await asyncio.sleep(0.1)

    async def _follow(self) -> None:
        peer = await Peer.open(f"ws://127.0.0.1:{self.worker.port}/ws")
        async with peer:
            await peer.hello(**HELLO)
            await peer.subscribe(1, "test.topic")
            await peer.subscribe(2, "test.state")
            self.last.clear()
            self.sessions += 1
            self.peer = peer
            try:
                while True:
                    message = peer.publications.popleft() if peer.publications else await peer._next()
                    self._take(message)
            finally:
                self.peer = None
                self.codes[peer.socket.close_code] += 1

    def _take(self, message: dict[str, Any]) -> None:
        if message["id"].startswith("publish:test.state"):
            key, value = message["result"]
            self.values[key] = value
            return
        publisher, number, *content = message["result"]
        before = self.last.get(publisher, number - 1)
        if is_damaged(number, content):
            self.broken = f"publication {number} of publisher {publisher} is damaged"
        if number != before + 1:
            self.broken = f"after {before} of publisher {publisher} came {number}"
        self.last[publisher] = number
        self.count += 1

    async def stop(self) -> None:
        await end(self.task)


class Wanderer:
    """As Viewer, with a session that goes on at whatever worker its connections lead to."""

    def __init__(self, workers: list[Worker], choose: random.Random) -> None:
        self.peer: Any = None
        self.last: dict[int, int] = {}
        self.values: dict[str, int] = {}
        self.count = 0
        self.sessions = 0
        self.returns = 0
        self.codes: Counter[int | None] = Counter()
        self.broken = ""
        self._workers = workers
        self._choose = choose
        self._switch = Switch(0)
        self._epoch = ""
        self.task = asyncio.create_task(self._run())

    def __str__(self) -> str:
        if not self.sessions:
            return f"a client that never came to port {self._switch.target}"
        where = f"at port {self._switch.target}, {self._link.state}, {self.sessions} sessions, {self.returns} returns"
        return f"{self._link.client_id} {where}"

    async def _run(self) -> None:
        await self._switch.start()
        self.lead()
        url, soon = f"ws://127.0.0.1:{self._switch.port}/ws", Reconnect(initial=0.1, max=0.3)
        while self.peer is None:
            with contextlib.suppress(Exception):
                self._link = self.peer = await connect(url, secret="secret", reconnect=soon)
            await asyncio.sleep(0.1)
            self.lead()
        self._link.on_statechange(self._changed)
        self._link.on_reconnected(self._returned)
        self.sessions += 1
        await asyncio.gather(
            self._follow(self._link.subscribe("test.topic"), self._take),
            self._follow(self._link.subscribe("test.state"), self._keep),
        )

    def lead(self) -> None:
        self._switch.target = self._choose.choice(self._workers).port

    def move(self) -> None:
        """Lose the connection; the next one leads to any worker."""
        self.lead()
        self._switch.cut()

    def _changed(self, state: str) -> None:
        self.peer = self._link if state == "open" else None
        if state == "reconnecting":
            self.lead()

    def _returned(self, reconnected: Reconnected) -> None:
        self.returns += reconnected.resumed
        self.sessions += not reconnected.resumed

    async def _follow(self, subscription: Any, take: Any) -> None:
        async for payload in subscription:
            take(payload)

    def _keep(self, payload: Any) -> None:
        key, value = payload
        self.values[key] = value

    def _take(self, payload: Any) -> None:
        publisher, number, *content = payload
        before = self.last.get(publisher, number - 1)
        if is_damaged(number, content):
            self.broken = f"publication {number} of publisher {publisher} is damaged"
        elif number != before + 1 and self._epoch == self._link.epoch:
            self.broken = f"after {before} of publisher {publisher} came {number}, to a client that returns"
        elif number != before + 1:  # another session
            self._epoch = self._link.epoch
            self.last.clear()
        self._epoch = self._epoch or self._link.epoch
        self.last[publisher] = number
        self.count += 1

    async def stop(self) -> None:
        await end(self.task)
        with contextlib.suppress(Exception):
            await self._link.close()
        await self._switch.stop()
