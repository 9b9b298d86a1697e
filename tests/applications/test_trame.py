"""The trame example under a raw client, and its end. The browser's part is trame.test.js."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.peers import Peer

if "WSLINK_APPLICATIONS_PYTHON" not in os.environ:
    pytest.skip("scripts/test applications runs it, where a missing trame is an error", allow_module_level=True)
pytestmark = pytest.mark.timeout(60)
ROOT = Path(__file__).parent.parent.parent


class Application:
    """`python -m examples.trame_vtk` on a free port."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, application_thread: str) -> Application:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.trame_vtk", "--port", "0", "--server"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "DISPLAY": "",
                "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow",
                "WSLINK_APPLICATION_THREAD": application_thread,
            },
        )
        return cls(process)

    async def url(self) -> str:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if found := re.search(rb"Local: +http://(\S+)/", line):
                return f"ws://{found[1].decode()}/ws"
        _, errors = await self.process.communicate()
        raise AssertionError(errors.decode())

    async def end(self, number: signal.Signals) -> tuple[int | None, bytes]:
        if self.process.returncode is None:
            self.process.send_signal(number)
        _, errors = await self.process.communicate()
        return self.process.returncode, errors


@pytest.fixture(params=["0", "1"], ids=["one thread", "a thread for clients"])
async def application(request: pytest.FixtureRequest) -> AsyncIterator[Application]:
    started = await Application.start(request.param)
    yield started
    await started.end(signal.SIGKILL)


async def test_only_the_right_secret_gets_in(application: Application) -> None:
    url = await application.url()
    for wrong in ("guessed", None, ""):
        async with await Peer.open(url) as peer:
            assert (await peer.hello(wrong))["error"]["code"] == -32000
            refused = await peer.call("trame.state.get")
            assert refused["error"]["code"] == -32000
    async with await Peer.open(url) as peer:
        assert "result" in await peer.hello("wslink-secret")
        assert (await peer.call("trame.state.get"))["result"]["state"]["clicks"] == 0
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await Peer.open(url, headers={"Origin": "http://evil.org"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(application: Application, number: signal.Signals) -> None:
    async with await Peer.open(await application.url()) as peer:
        await peer.hello("wslink-secret")
        assert await application.end(number) == (0, b"")
