"""An App under daphne, which drops frames of more than 1 MiB that an application sends: docs/python.md has the cure."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import wslink
from tests.ports import free_port

pytest.importorskip("daphne", reason="needs the dependency group conformance")

APPLICATION = """
from wslink import App

app = App(secret="secret")
app.method("test.big")(lambda size: bytes(size))
asgi = app.asgi()


async def application(scope, receive, send):
    await asgi(scope, receive, send)
"""
SIZE = 5 << 20


@asynccontextmanager
async def serving(directory: Path, **environment: str) -> AsyncIterator[str]:
    (directory / "served.py").write_text(APPLICATION)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "daphne", "-p", str(port), "-b", "127.0.0.1", "served:application",
        cwd=directory, env={"PATH": "", **environment},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        process.kill()
        await process.wait()


async def link_to(url: str) -> wslink.Link:
    for _ in range(200):
        try:
            return await wslink.connect(url, secret="secret")
        except wslink.ConnectionClosed:
            await asyncio.sleep(0.1)
    raise TimeoutError(url)


@pytest.mark.timeout(60)
async def test_large_results_arrive_with_the_limit_that_the_docs_name(tmp_path: Path) -> None:
    async with serving(tmp_path, WSLINK_MAX_MSG_SIZE="1000000") as url:
        link = await link_to(url)
        assert len(await asyncio.wait_for(link.call("test.big", SIZE), 20)) == SIZE
        assert len(await asyncio.wait_for(link.call("test.big", 1000), 5)) == 1000
        await link.close()
