"""Checks what docs/scale.md promises while workers are killed and the broker fails; see `main`.

What a client gets of one publisher within one session has to be every number from the first one that it gets on, once
and in order; some clients lose their connections again and again, and return to their sessions at other workers. When
all is well again, every worker has to know the same clients, and every client the newest value of each key.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.history_program import HASTE, HELLO, PROGRAM, Worker, ask
from tests.cluster.servers import Server
from tests.cluster.switch import Switch
from tests.peers import Peer
from wslink import Reconnect, connect
from wslink.client.events import Reconnected

FAULTS = ("kill", "move", "cut", "trim", "move", "restart", "pause")
"""A worker is killed; clients return to another one; a worker's connection to the broker is cut, or lets nothing
through; the broker loses its records, is started again without memory, stands still."""


LARGE = 300_000
"""Bytes of the publications that go from worker to worker by reference, of which there is one in every third burst."""


class Broken(AssertionError):
    """A promise was not kept."""


def is_damaged(number: int, content: list[bytes]) -> bool:
    """Whether what came with a publication is not what went with it."""
    return any(one != bytes([number % 256]) * LARGE for one in content)


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
        return f"{self.peer.client_id if self.peer is not None else 'nobody'} at port {self.worker.port}"

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
        self.task.cancel()
        await asyncio.wait([self.task])


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
        self.task.cancel()
        await asyncio.wait([self.task])
        with contextlib.suppress(Exception):
            await self._link.close()
        await self._switch.stop()


class History:
    """A run: workers, their viewers, and a broker."""

    def __init__(self, kind: str, folder: Path, viewers: int, seed: int, haste: bool) -> None:
        (folder / "program.py").write_text(HASTE * haste + PROGRAM)
        self.broker = Server(kind, folder)
        self.choose = random.Random(seed)
        self.workers = [Worker(folder, self.broker.url) for _ in range(3)]
        self.wanderers = [Wanderer(self.workers, self.choose) for _ in range(viewers // 3)]
        settled = [Viewer(self.workers[number % 3]) for number in range(viewers - len(self.wanderers))]
        self.viewers: list[Viewer | Wanderer] = [*settled, *self.wanderers]
        self.newest: dict[str, int] = {}
        self.asked: set[str] = set()
        """Clients that only asked something, and go."""
        self.faults: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        """Sessions that ended with 1012, by the fault before."""
        self.published = self.large = 0

    async def settle(self, timeout: float = 30) -> None:
        """Wait until everything is as it should be. Raises Broken."""
        deadline = time.monotonic() + timeout
        why = ""
        while True:
            broken = next((viewer.broken for viewer in self.viewers if viewer.broken), "")
            if broken:
                raise Broken(broken)
            why = await self._wrong()
            if not why:
                return
            if time.monotonic() > deadline:
                raise Broken(f"still after {timeout:g} s: {why}")
            await asyncio.sleep(0.2)

    async def _wrong(self) -> str:
        clients = {viewer.peer.client_id for viewer in self.viewers if viewer.peer is not None}
        if len(clients) < len(self.viewers):
            return "not every client is connected"
        for key, value in self.newest.items():
            missing = [viewer for viewer in self.viewers if viewer.values.get(key) != value]
            if missing:
                who = ", ".join(f"{viewer} with {viewer.values.get(key)}" for viewer in missing[:5])
                return f"{len(missing)} clients have not the newest value of {key}, {value}: {who}"
        known = [await self._ask(worker, "test.clients") for worker in self.workers]
        missing = [len(clients - set(one or ())) for one in known]
        too_many = [len(set(one or ()) - clients - self.asked) for one in known]
        return f"the workers know {missing} clients too few and {too_many} too many" if any(missing + too_many) else ""

    async def _ask(self, worker: Worker, method: str, *args: Any) -> Any:
        return await ask(worker, method, *args, asked=self.asked)

    async def publish(self) -> None:
        """Some publications of each worker, and one value."""
        for worker in self.workers:
            count, large = self.choose.randrange(1, 40), LARGE * (self.choose.random() < 1 / 3)
            self.published += count if await self._ask(worker, "test.burst", count, large) else 0
            self.large += bool(large)

    async def set(self) -> None:
        key, value = self.choose.choice("abc"), self.newest.get("n", 0) + sum(self.newest.values()) + 1
        if await self._ask(self.choose.choice(self.workers), "test.set", key, value) is not None:
            self.newest[key] = value

    async def fault(self, kind: str) -> None:
        self.faults[kind] += 1
        busy = asyncio.create_task(self.publish())
        await asyncio.sleep(self.choose.uniform(0, 0.05))
        if kind == "kill":
            worker = self.choose.choice(self.workers)
            worker.kill()
            await asyncio.sleep(self.choose.uniform(0, 1))
            worker.start()
        elif kind == "move":
            for wanderer in self.wanderers:
                wanderer.move()
            await asyncio.sleep(self.choose.uniform(0, 0.5))
        elif kind == "cut":
            line = self.choose.choice(self.workers).line
            if self.choose.random() < 0.5:
                line.hold()
                await asyncio.sleep(self.choose.uniform(0.1, 3))
                line.release()
            else:
                line.down = True
                line.cut()
                await asyncio.sleep(self.choose.uniform(0.1, 2))
                line.down = False
        elif kind == "pause":
            await self.broker.pause(self.choose.uniform(0.1, 2))
        elif kind == "restart":
            self.broker.stop()
            await asyncio.sleep(self.choose.uniform(0, 1))
            self.broker.start()
        else:
            await self.broker.trim()
        await busy
        await self.publish()

    async def run(self, faults: Sequence[str]) -> None:
        for worker in self.workers:
            await worker.begin()
        await self.settle(60)
        for number, kind in enumerate(faults, 1):
            before = self.codes[1012]
            await self.fault(kind)
            await self.settle()
            await self.set()
            await self.settle()
            self.restarts[kind] += self.codes[1012] - before
            if number % 50 == 0:
                print(self.figures(), file=sys.stderr, flush=True)

    async def stop(self) -> None:
        for viewer in self.viewers:
            await viewer.stop()
        for worker in self.workers:
            worker.kill()
            await worker.line.stop()
        self.broker.stop()

    @property
    def codes(self) -> Counter[int | None]:
        """How connections have ended."""
        return sum((viewer.codes for viewer in self.viewers), Counter())

    def figures(self) -> str:
        return (
            f"{self.broker.kind}: {sum(self.faults.values())} faults {dict(self.faults)}, {self.published} published, "
            f"{self.large} of them large, "
            f"{sum(viewer.count for viewer in self.viewers)} deliveries in {sum(v.sessions for v in self.viewers)} "
            f"sessions of {len(self.viewers)} clients, {sum(one.returns for one in self.wanderers)} returns to another "
            f"worker, ends {dict(self.codes)}, 1012 after {dict(self.restarts)}"
        )


async def check(kind: str, folder: Path, faults: Sequence[str], viewers: int, seed: int, haste: bool = False) -> str:
    """Run faults; the figures. Raises Broken.

    Args:
        haste: for a short run, see HASTE.
    """
    history = History(kind, folder, viewers, seed, haste)
    try:
        await history.run(faults)
        return history.figures()
    except Broken as error:
        raise Broken(f"{error} (seed {seed}; {history.figures()})") from None
    finally:
        await history.stop()


def main() -> None:
    """Run faults against one broker, or both, and print figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kind", choices=("redis", "nats", "both"), nargs="?", default="both")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    faults = list(itertools.islice(itertools.cycle(FAULTS), given.faults))
    for kind in ("redis", "nats") if given.kind == "both" else (given.kind,):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            print(asyncio.run(check(kind, Path(folder), faults, given.clients, seed)), end=", ")
            print(f"{time.monotonic() - began:.0f} s, seed {seed}", flush=True)


if __name__ == "__main__":
    main()
