"""Connections that say nothing, at the launcher and at the relay: they end, and while they last others are answered,
also where the process may open few files."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.launcher.support import APPS, LauncherProcess

DEADLINE = 15.0
"""Seconds after which a connection that says nothing has been closed."""
FILES = 64


def _limit(files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


@asynccontextmanager
async def relay(files: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wslink.relay", "--host", "127.0.0.1", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: _limit(files),
    )
    assert process.stdout is not None
    try:
        yield process, f"http://{(await process.stdout.readline()).decode().split()[-1]}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def launcher(directory: Path, files: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    one = LauncherProcess(directory, apps={"good": APPS["good"]})
    client = await one.start(stderr=asyncio.subprocess.PIPE, preexec_fn=lambda: _limit(files))
    try:
        yield one.process, client.url
    finally:
        await client.http.close()
        with contextlib.suppress(ProcessLookupError):
            one.process.terminate()
        await one.process.wait()


async def silent(host: str, port: int, data: bytes) -> float:
    """Seconds until a connection is closed that has sent this and nothing else."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(data)
        while await reader.read(4096):
            pass
        writer.close()
    return time.monotonic() - began


async def besieged(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    begun = b"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n"
    beginnings = [
        b"",
        b"G",
        begun,
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + begun,
    ]
    tasks = [asyncio.create_task(silent(host, int(port), data)) for data in beginnings * 40]
    await asyncio.sleep(0.5)
    answered = []
    async with aiohttp.ClientSession() as http:
        for _ in range(10):
            began = time.monotonic()
            async with http.get(f"{url}/health", headers={"Connection": "close"}) as response:
                assert response.status == 200
            answered.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
    assert sorted(answered)[len(answered) // 2] < 0.2  # the machine may be busy now and then
    waits = await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE + 5)
    assert max(waits) < DEADLINE + 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux can limit another process")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("few_files", [False, True])
async def test_silent_connections_end_and_keep_nobody_out(tmp_path: Path, few_files: bool) -> None:
    files = FILES if few_files else 1024
    async with relay(files) as (one, address), launcher(tmp_path, files) as (other, url):
        await asyncio.gather(besieged(address), besieged(url))
        for process in (one, other):
            process.terminate()
            _, errors = await process.communicate()
            assert len(errors.splitlines()) < 10, errors[:2000]
            assert b"Traceback" not in errors
