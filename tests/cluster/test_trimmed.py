"""What is left of records that the broker loses before a worker has taken them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.cluster.servers import Server
from wslink.cluster.broker import Broker
from wslink.cluster.brokers import connect


async def read(log: Broker, seconds: float) -> list[bytes]:
    """What a log brings within some time."""
    got: list[bytes] = []

    async def take() -> None:
        while True:
            got.extend(await log.read())

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(take(), seconds)
    return got


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "left"), [("redis", 0), ("nats", 10)])
async def test_what_nats_has_sent_ahead_is_not_lost_with_the_stream(kind: str, left: int, tmp_path: Path) -> None:
    """Redis keeps records until a worker asks for them, NATS sends up to 256 ahead. So clients are ended with 1012 far
    more often where it is Redis that loses its records while a worker is busy."""
    server = Server(kind, tmp_path)
    worker, other = connect(server.url), connect(server.url)
    try:
        await worker.open()
        await other.open()
        await other.append([b"first"])
        assert await read(worker, 0.5) == [b"first"]
        await other.append([b"%d" % number for number in range(10)])  # and the worker is busy with something else
        await asyncio.sleep(0.2)
        await server.trim()
        assert await read(worker, 0.5) == [b"%d" % number for number in range(left)]
    finally:
        await worker.close()
        await other.close()
        server.stop()
