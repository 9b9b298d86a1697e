"""The roads between a client and a server."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Road(NamedTuple):
    """URLs of a server's WebSocket.

    Attributes:
        url: over the road.
        direct: without it, where there is such a way.
    """

    url: str
    direct: str


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[str]:
    """A server in a process of its own; the URL that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.history.server", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield line.decode().split()[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _direct(kind: str, options: tuple[str, ...]) -> AsyncIterator[Road]:
    async with started(kind, *options) as url:
        yield Road(url, url)


def picows(directory: Path, *options: str) -> AbstractAsyncContextManager[Road]:
    return _direct("picows", options)


def aiohttp(directory: Path, *options: str) -> AbstractAsyncContextManager[Road]:
    return _direct("aiohttp", options)


def asgi(directory: Path, *options: str) -> AbstractAsyncContextManager[Road]:
    """uvicorn."""
    return _direct("asgi", options)


ROADS: dict[str, Callable[..., AbstractAsyncContextManager[Road]]] = {
    "picows": picows, "aiohttp": aiohttp, "asgi": asgi,
}  # fmt: skip
