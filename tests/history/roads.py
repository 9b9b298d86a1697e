"""The roads between a client and a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

ROOT = Path(__file__).parents[2]


class Road(NamedTuple):
    """URLs of a server's WebSocket.

    Attributes:
        url: over the road.
        direct: without it; "" where there is no such way.
        patience: see run.Cutter; where a return takes long, all cuts would hit one.
    """

    url: str
    direct: str
    patience: float = 0.0


@asynccontextmanager
async def started(
    *arguments: str, environment: Mapping[str, str] = MappingProxyType({}), stops: bool = False
) -> AsyncIterator[str]:
    """A server in a process of its own, which is killed at the end, or stops if it `stops`; the URL that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.history.server", *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield line.decode().split()[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate() if stops else process.kill()
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


@asynccontextmanager
async def _launched(directory: Path, options: tuple[str, ...], environment: dict[str, str]) -> AsyncIterator[Road]:
    from tests.launcher.support import launching

    command = [sys.executable, "-m", "tests.history.server", "picows", *options, "--port", "${port}"]
    application = {"cmd": command, "ready_line": "serving", "env": {"PYTHONPATH": str(ROOT), **environment}}
    async with launching(directory, apps={"history": application}, timeout=30) as running:
        session = await running.start("history")
        url = session["sessionURL"].replace("USE_HOST", running.url.removeprefix("http://"))
        yield Road(url, url)


def launcher(directory: Path, *options: str) -> AbstractAsyncContextManager[Road]:
    """The launcher, which passes connections on to the session's process."""
    return _launched(directory, options, {})


def carried(directory: Path, *options: str) -> AbstractAsyncContextManager[Road]:
    """The launcher's proxy, which carries bytes."""
    return _launched(directory, options, {"WSLINK_HANDOFF": ""})


@asynccontextmanager
async def _relay(**options: object) -> AsyncIterator[str]:
    from wslink.relay.options import Options
    from wslink.relay.service import Relay

    runner = web.AppRunner(Relay(Options(**options)).application(), access_log=None, shutdown_timeout=0.2)  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def forward(directory: Path, *options: str) -> AsyncIterator[Road]:
    """The relay that dials the server."""
    async with started("picows", *options) as url, _relay(mode="forward") as relay:
        yield Road(f"{relay}/proxy/{urlsplit(url).port}", url)


@asynccontextmanager
async def reverse(directory: Path, *options: str) -> AsyncIterator[Road]:
    """The relay at which a reverse connection and its one client meet."""
    token = directory / "process.token"
    token.write_text("a-token-of-the-process")
    async with _relay(mode="relay", proxy_route="/meet/{id}", process_token_file=str(token)) as relay:
        environment = {"WSLINK_REVERSE_TOKEN_FILE": str(token)}
        async with started("reverse", "--url", f"{relay}/meet/one", *options, environment=environment):
            yield Road(f"{relay}/meet/one", "", patience=0.8)


@asynccontextmanager
async def nginx(directory: Path, *options: str) -> AsyncIterator[Road]:
    """nginx as docs/security.md has it."""
    from tests.deployment.servers import nginx as start
    from tests.docs.blocks import block

    async with started("picows", *options) as url:
        text = block("docs/security.md", "nginx").replace("127.0.0.1:8080", urlsplit(url).netloc)
        async with start(directory, f"server {{ listen 8080;\n{text}\n}}") as host:
            yield Road(f"ws://{host}/ws", url)


ROADS: dict[str, Callable[..., AbstractAsyncContextManager[Road]]] = {
    "picows": picows, "aiohttp": aiohttp, "asgi": asgi, "launcher": launcher, "carried": carried, "forward": forward,
    "reverse": reverse, "nginx": nginx,
}  # fmt: skip
SINGLE = ("reverse",)
"""Those that take one client at a time."""
