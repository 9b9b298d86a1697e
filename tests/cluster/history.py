"""Checks what docs/scale.md promises while workers are killed and the broker fails; see `main`.

What a client gets of one publisher within one session has to be every number from the first one that it gets on, once
and in order; some clients lose their connections again and again, and return to their sessions at other workers. After
each fault, every worker has to know every client, and every client the newest value of each key. Clients that have gone
have to be forgotten, while the next faults go on; after each round of them nobody may know one any more.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.history_program import HASTE, PROGRAM, Worker, ask
from tests.cluster.history_viewers import LARGE, Viewer, Wanderer
from tests.cluster.servers import Server

FAULTS = ("kill", "move", "cut", "trim", "move", "restart", "pause")
"""A worker is killed; clients return to another one; a worker's connection to the broker is cut, or lets nothing
through; the broker loses its records, is started again without memory, stands still."""


PATIENCE = 60.0
"""Seconds in which all has to be well after a fault, on a machine that has time for this."""


class Broken(AssertionError):
    """A promise was not kept."""


class Gone:
    """Clients that have gone and that workers know, by how long.

    Attributes:
        known: when each was found first, in seconds of a monotonic clock.
        longest: how many seconds one was known.
    """

    def __init__(self, patience: float) -> None:
        self.known: dict[str, float] = {}
        self.longest = 0.0
        self._patience = patience

    def __str__(self) -> str:
        return f"workers know {len(self.known)} clients that have gone: {', '.join(list(self.known)[:5])}"

    def look(self, found: set[str]) -> None:
        """These are known now. Raises Broken if one has been for too long."""
        now = time.monotonic()
        self.known = {one: self.known.get(one, now) for one in found}
        self.longest = max([self.longest, *(now - since for since in self.known.values())])
        if self.longest > self._patience:
            raise Broken(f"for {self.longest:.0f} s {self}")


class History:
    """A run: workers, their viewers, and a broker."""

    def __init__(
        self, kind: str, folder: Path, viewers: int, seed: int, haste: bool, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
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
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.restarts: Counter[str] = Counter()
        """Sessions that ended with 1012, by the fault before."""
        self.gone = Gone(patience)
        self.published = self.large = 0

    async def settle(self, forgotten: bool = False) -> None:
        """Wait until everything is as it should be. Raises Broken.

        Args:
            forgotten: wait until nobody knows a client that has gone, too.
        """
        deadline = time.monotonic() + self._patience
        why = ""
        while True:
            broken = next((viewer.broken for viewer in self.viewers if viewer.broken), "")
            if broken:
                raise Broken(broken)
            why = await self._wrong()
            if not why and not (forgotten and self.gone.known):
                return
            why = why or str(self.gone)
            if time.monotonic() > deadline:
                raise Broken(f"still after {self._patience:g} s: {why}")
            await asyncio.sleep(0.2)

    async def _wrong(self) -> str:
        clients = {viewer.peer.client_id for viewer in self.viewers if viewer.peer is not None}
        if len(clients) < len(self.viewers):
            away = [viewer for viewer in self.viewers if viewer.peer is None]
            return f"{len(away)} clients are not connected: {'; '.join(map(str, away[:5]))}"
        for key, value in self.newest.items():
            missing = [viewer for viewer in self.viewers if viewer.values.get(key) != value]
            if missing:
                who = ", ".join(f"{viewer} with {viewer.values.get(key)}" for viewer in missing[:5])
                return f"{len(missing)} clients have not the newest value of {key}, {value}: {who}"
        answers = [await self._ask(worker, "test.clients") for worker in self.workers]
        if None in answers:
            return "a worker does not answer"
        known = [set(map(str, one)) for one in answers]
        self.gone.look(set().union(*known) - clients - self.asked)
        missing = [len(clients - one) for one in known]
        return f"the workers know {missing} clients too few" if any(missing) else ""

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
        await self.settle()
        for number, kind in enumerate(faults, 1):
            before, began = self.codes[1012], time.monotonic()
            await self.fault(kind)
            await self.settle()
            await self.set()
            await self.settle(forgotten=number % len(FAULTS) == 0 or number == len(faults))
            self.restarts[kind] += self.codes[1012] - before
            self.seconds[kind] += time.monotonic() - began
            if number % 25 == 0:
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
            f"worker, ends { {str(code and int(code)): count for code, count in self.codes.items()} }, "
            f"1012 after {dict(self.restarts)}, one that had gone was known for {self.gone.longest:.1f} s at most, "
            f"seconds of each kind { {kind: round(seconds) for kind, seconds in self.seconds.items()} }"
        )


async def check(
    kind: str,
    folder: Path,
    faults: Sequence[str],
    viewers: int,
    seed: int,
    haste: bool = False,
    patience: float = PATIENCE,
) -> str:
    """Run faults; the figures. Raises Broken.

    Args:
        haste: for a short run, see HASTE.
        patience: see PATIENCE.
    """
    history = History(kind, folder, viewers, seed, haste, patience)
    try:
        await history.run(faults)
        return history.figures()
    except Broken as error:
        raise Broken(f"{error} (seed {seed}; {history.figures()})") from None
    except asyncio.CancelledError:
        return f"stopped: {history.figures()}"
    finally:
        await history.stop()


async def run(kind: str, folder: Path, faults: Sequence[str], viewers: int, seed: int, patience: float) -> str:
    """As `check`, until it is asked to stop, too."""
    task = asyncio.current_task()
    assert task is not None
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    return await check(kind, folder, faults, viewers, seed, patience=patience)


def main() -> None:
    """Run faults against one broker, or both, and print figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kind", choices=("redis", "nats", "both"), nargs="?", default="both")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds in which all has to be well again")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    faults = list(itertools.islice(itertools.cycle(FAULTS), given.faults))
    for kind in ("redis", "nats") if given.kind == "both" else (given.kind,):
        folder, began = Path(tempfile.mkdtemp(prefix="history-")), time.monotonic()
        try:
            told = asyncio.run(run(kind, folder, faults, given.clients, seed, given.patience))
        except Broken as error:
            raise SystemExit(f"{error}\nWhat the workers logged is in {folder}.") from None
        print(f"{told}, {time.monotonic() - began:.0f} s, seed {seed}", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
