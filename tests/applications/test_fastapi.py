"""The FastAPI example under a real uvicorn: wslink mounted next to the application's own routes."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.interop.test_matrix import wait_for_port
from tests.peers import Peer
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def base() -> AsyncIterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.fastapi_app", str(port)], cwd=ROOT, stderr=subprocess.PIPE
    )
    try:
        await asyncio.to_thread(wait_for_port, port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        _, errors = await asyncio.to_thread(process.communicate)
        assert b"Traceback" not in errors, errors.decode()


async def post(base: str, value: float) -> int:
    async with aiohttp.ClientSession() as session, session.post(f"http://{base}/readings?value={value}") as answer:
        return int((await answer.json())["viewers"])


async def test_rest_in_publication_out(base: str) -> None:
    async with wslink.connect(f"ws://{base}/live/ws", headers={"Origin": f"http://{base}"}) as link:
        high = link.subscribe("example.reading", filter={"value": {"gte": 50}})
        await high.ready
        assert [await post(base, value) for value in (10, 90)] == [0, 1]
        assert await anext(high) == {"value": 90.0, "number": 2}
        values = (await link.call("example.history"))["values"]
        assert struct.unpack("<2d", values) == (10.0, 90.0)


async def test_the_client_is_found_below_the_mount(base: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path, status in (
            ("/live/wslink/client.js", 200),
            ("/live/wslink/nothing", 404),
            ("/live/etc/passwd", 404),
            ("/", 200),
        ):
            async with session.get(f"http://{base}{path}") as answer:
                assert answer.status == status, path


@pytest.mark.parametrize(("path", "origin"), [("/live/ws", "http://evil.org"), ("/live/other", None)])
async def test_foreign_pages_and_other_paths_are_refused(base: str, path: str, origin: str | None) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await Peer.open(f"ws://{base}{path}", headers={"Origin": origin} if origin else {})
    assert refused.value.status == 403


async def test_without_origin_the_secret_is_needed(base: str) -> None:
    with pytest.raises(wslink.AuthenticationError):
        await wslink.connect(f"ws://{base}/live/ws")
