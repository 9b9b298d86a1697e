"""Workers whose connections to the broker end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Server
from tests.cluster.switch import Switch
from tests.cluster.test_cluster import HELLO
from tests.conftest import Open, Serve
from tests.waiting import until
from wslink import App
from wslink.cluster.brokers import connect

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["redis", "nats"])
async def lines(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Switch]]:
    """Two to a broker."""
    server = Server(request.param, tmp_path)
    lines = [await Switch(server.port).start() for _ in range(2)]
    yield lines
    for line in lines:
        await line.stop()
    server.stop()


async def test_connections_that_end_lose_nothing(
    lines: list[Switch], serve: Serve, peers: Open, request: pytest.FixtureRequest
) -> None:
    """That of the worker which publishes, and that of the one which reads, while publications are on their way."""
    kind = request.node.callspec.params["lines"]
    apps = [App(secret="secret", broker=f"{kind}://127.0.0.1:{line.port}") for line in lines]
    topics = [app.topic("test.topic") for app in apps]
    _, url = [await serve(app) for app in apps]
    far = await peers(url, hello=HELLO)
    await far.subscribe(1, "test.topic")
    await until(lambda: far.client_id in apps[0].clients)
    got: list[Any] = []

    async def read() -> None:
        while len(got) < 600:
            got.append((await far.receive())["result"])

    reading = asyncio.create_task(read())
    for number in range(600):
        topics[0].publish(number)
        if number % 100 == 50:
            await asyncio.sleep(0.01)
            lines[number // 100 % 2].cut()
        elif number % 10 == 0:
            await asyncio.sleep(0.002)
    await asyncio.wait_for(reading, 20)
    assert got == list(range(600))


@pytest.mark.parametrize("kind", ["redis", "nats"])
async def test_a_log_that_began_anew_is_read_from_its_beginning(kind: str, tmp_path: Path) -> None:
    """Also where it has more records by then than the one before."""
    server = Server(kind, tmp_path)
    reader, other = connect(server.url), connect(server.url)
    try:
        await reader.open()
        await reader.append([b"1", b"2"])
        got: list[bytes] = []

        async def read(count: int) -> None:
            while len(got) < count:
                try:
                    await reader.open()
                    got.extend(await reader.read())
                except Exception:
                    await asyncio.sleep(0.05)

        await asyncio.wait_for(read(2), 10)
        server.stop()
        server.start()
        await other.open()
        await other.append([b"3", b"4", b"5", b"6"])
        await asyncio.wait_for(read(6), 10)
        assert got == [b"1", b"2", b"3", b"4", b"5", b"6"]
    finally:
        await reader.close()
        await other.close()
        server.stop()
