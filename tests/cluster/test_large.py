"""Large publications between workers of one host, which go by reference (docs/scale.md, LIM-24)."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cluster.test_cluster import HELLO, until
from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits
from wslink.cluster import host_directories, host_memory, records
from wslink.cluster.memory_log import MemoryBroker, MemoryLog
from wslink.cluster.records import Draft

LARGE = 400_000


class Log(MemoryLog):
    """Notes what it is given."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.sizes: list[int] = []

    def take(self, records: Any) -> None:
        self.sizes += map(len, records)
        super().take(records)


class Broker(MemoryBroker):
    def connect(self) -> Log:
        return Log(self)

    @property
    def largest(self) -> int:
        """The size of the largest record so far."""
        return max(size for log in self.logs if isinstance(log, Log) for size in log.sizes)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The memory of a host of its own."""
    with tempfile.TemporaryDirectory(dir=host_directories.MEMORY) as name:
        monkeypatch.setattr(host_memory.HostMemory.__init__, "__defaults__", (Path(name),))
        yield Path(name) / f"wslink-{os.geteuid()}"


@pytest.fixture
def broker() -> Broker:
    return Broker()


class Follower:
    """A worker, and a client of it."""

    def __init__(self, app: App, peer: Peer) -> None:
        self.app = app
        self.topic = app.topic("test.topic")
        self.peer = peer

    async def next(self) -> Any:
        return (await self.peer.receive())["result"]

    @property
    def log(self) -> Log:
        return self.app._hub.cluster.broker  # type: ignore[union-attr, return-value] - what stands still in tests


Start = Callable[..., Awaitable[Follower]]


@pytest.fixture
def start(serve: Serve, peers: Open, broker: Broker, memory: Path) -> Start:
    async def start(**options: Any) -> Follower:
        app = App(secret="secret", broker=broker, **options)
        app.topic("test.topic")
        peer = await peers(await serve(app), hello=HELLO)
        await peer.subscribe(1, "test.topic")
        return Follower(app, peer)

    return start


def files(memory: Path) -> list[Path]:
    return [path for path in memory.glob("w*/*") if path.is_file()]


async def settle(*workers: Follower) -> None:
    """Until each worker knows the clients of all."""
    await until(lambda: all(len(one.app.clients) == len(workers) for one in workers))


async def test_what_is_large_is_written_once_and_read_in_place(
    start: Start, broker: Broker, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = workers = [await start() for _ in range(3)]
    await settle(*workers)
    assert memory.stat().st_mode & 0o777 == 0o700
    array = np.arange(LARGE // 4, dtype="f4")
    for payload in ("before", b"x" * LARGE, array, "behind"):
        one.topic.publish(payload)
    for worker in workers:
        assert await worker.next() == "before"
        assert await worker.next() == b"x" * LARGE
        assert bytes((await worker.next()).data)[-LARGE:] == array.tobytes()
        assert await worker.next() == "behind"
    assert broker.largest < 2_000
    two.topic.publish(b"y" * LARGE)
    assert [await worker.next() for worker in (one, three)] == [b"y" * LARGE] * 2
    await until(lambda: not files(memory), host_memory.GRACE + 3)
    for worker in workers:
        await worker.app._hub.stop()
    assert not list(memory.glob("w*"))


async def test_a_worker_of_another_host_gets_the_bytes(
    start: Start, broker: Broker, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start(), await start()
    (elsewhere := memory.parent / "elsewhere").mkdir()
    monkeypatch.setattr(host_memory.HostMemory.__init__, "__defaults__", (elsewhere,))
    far = await start()
    await settle(one, two, far)
    one.topic.publish(b"x" * LARGE)
    assert [await worker.next() for worker in (one, two, far)] == [b"x" * LARGE] * 3
    assert broker.largest > LARGE
    await far.app._hub.stop()
    await until(lambda: len(one.app.clients) == 2)
    broker.logs[0].sizes.clear()  # type: ignore[attr-defined]
    one.topic.publish(b"y" * LARGE)
    assert [await worker.next() for worker in (one, two)] == [b"y" * LARGE] * 2
    assert max(one.log.sizes) < 2_000


async def test_beyond_the_bound_it_goes_by_the_broker_and_nothing_is_lost(
    start: Start, broker: Broker, memory: Path
) -> None:
    """LIM-24."""
    one, two = await start(limits=Limits(max_shared=2 * LARGE + 2000)), await start()
    await settle(one, two)
    two.log.held = True
    payloads = [bytes([number]) * LARGE for number in range(5)]
    for payload in payloads:
        one.topic.publish(payload)
    await until(lambda: len([size for size in one.log.sizes if size > LARGE]) == 3)
    assert sum(path.stat().st_size for path in set(files(memory))) <= 2 * (2 * LARGE + 2000)
    two.log.held = False
    assert [await two.next() for _ in range(5)] == payloads
    one.log.sizes.clear()
    one.topic.publish(payloads[0])
    assert await two.next() == payloads[0]
    assert max(one.log.sizes) < 2_000, "there is room again"


async def take_for_dead(worker: Follower) -> None:
    """Let another worker find it dead, and end."""
    cluster, other = worker.app._hub.cluster, f"w{secrets.token_hex(8)}"
    name = cluster.origin  # type: ignore[union-attr] - what records name
    drafts = Draft(records.DEAD, [name]), Draft(records.BYE, [])
    worker.log.take([draft.encode(other, number) for number, draft in enumerate(drafts, 1)])
    await until(lambda: cluster.origin != name)  # type: ignore[union-attr]


async def test_a_worker_that_was_taken_for_dead_shares_as_before(start: Start, broker: Broker, memory: Path) -> None:
    """What it had written, and nobody takes any more, does not count against its bound for ever (LIM-24)."""
    one, two = await start(limits=Limits(max_shared=2 * LARGE + 2000)), await start()
    await settle(one, two)
    broker.away = True
    for _ in range(2):
        one.topic.publish(b"x" * LARGE)
    await until(lambda: len(files(memory)) == 4)
    broker.away = False
    await take_for_dead(one)
    await settle(one, two)
    await until(lambda: not files(memory), host_memory.GRACE + 3)
    one.log.sizes.clear()
    for number in range(3):
        one.topic.publish(bytes([number]) * LARGE)
    await until(lambda: len([size for size in one.log.sizes if size > LARGE]) == 1)


async def test_names_of_before_do_not_pile_up(start: Start, broker: Broker, memory: Path) -> None:
    one = await start()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(2 * host_memory.MAX_NAMES):
        await take_for_dead(one)
    assert len(list(memory.glob("w*"))) == host_memory.MAX_NAMES
    assert len(os.listdir("/proc/self/fd")) < descriptors + host_memory.MAX_NAMES
    await one.app._hub.stop()
    assert not list(memory.glob("w*"))


async def test_nothing_is_shared_where_that_is_turned_off(start: Start, broker: Broker, memory: Path) -> None:
    """LIM-24."""
    one, two = await start(limits=Limits(max_shared=0)), await start()
    await settle(one, two)
    one.topic.publish(b"x" * LARGE)
    two.topic.publish(b"y" * LARGE)
    assert [await one.next() for _ in range(2)] == [b"x" * LARGE, b"y" * LARGE]
    assert len([size for size in one.log.sizes if size > LARGE]) == 2


async def test_a_payload_that_is_gone_ends_the_sessions_that_rely_on_it(
    start: Start, broker: Broker, memory: Path
) -> None:
    """As where the stream was trimmed; then the worker takes the bytes."""
    one, two = await start(), await start()
    await settle(one, two)
    two.log.held = True
    one.topic.publish(b"x" * LARGE)
    await until(lambda: files(memory))
    for path in files(memory):
        path.unlink()
    two.log.held = False
    assert (await two.peer.closed())[0] == 1012
    await until(lambda: len(one.app.clients) == 1)
    one.log.sizes.clear()
    await until(lambda: any(size > 30 for size in one.log.sizes))
    await asyncio.sleep(0.1)
    one.topic.publish(b"y" * LARGE)
    assert [await one.next() for _ in range(2)] == [b"x" * LARGE, b"y" * LARGE]
    await until(lambda: max(one.log.sizes) > LARGE)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "host", "w0123456789abcdef.1.0123456789abcdef/../x", "", "x" * 9]
)
async def test_a_reference_leads_nowhere_else(start: Start, broker: Broker, memory: Path, name: str) -> None:
    one = await start()
    fields = ["test.topic", "reliable", False, {}, None, [1.0, "w"], [], None, None]
    broker.logs[0].take([Draft("p", fields).encode("w0123456789abcdef", 1, (name, 10))])
    assert (await one.peer.closed())[0] == 1012


async def test_what_killed_workers_have_left_is_removed(start: Start, memory: Path) -> None:
    memory.mkdir(0o700)
    for name in ("w0123456789abcdef", "w0123456789abcdee"):
        (memory / name).mkdir()
        (memory / name / "file").write_bytes(b"x")
    root = host_directories.open_root(memory.parent)
    held = os.open("w0123456789abcdee", os.O_RDONLY, dir_fd=root)
    assert host_directories._lock(held)
    await start()
    assert sorted(path.parent.name for path in files(memory)) == ["w0123456789abcdee"]
    os.close(held)
    os.close(root)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
async def test_a_directory_that_others_may_enter_is_not_used(
    start: Start, broker: Broker, memory: Path, mode: int
) -> None:
    memory.mkdir()
    memory.chmod(mode)
    one, two = await start(), await start()
    await settle(one, two)
    one.topic.publish(b"x" * LARGE)
    assert await two.next() == b"x" * LARGE
    assert broker.largest > LARGE
    assert not files(memory)
