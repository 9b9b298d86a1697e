"""A server that dials a relay which takes the connection and says nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

APP = "from wslink import App\nApp(secret='s').run(reverse_url='ws://127.0.0.1:{port}/meet/1')\n"
RELEASED = (
    "from wslink.server import start\nstart(['--reverse-url', 'ws://127.0.0.1:{port}/meet/1'])\nprint('went on')\n"
)


@pytest.mark.parametrize("program", [APP, RELEASED], ids=["App", "start"])
def test_it_stops_in_order_at_a_signal(tmp_path: Path, program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as relay:
        (tmp_path / "run.py").write_text(program.format(port=relay.getsockname()[1]))
        process = subprocess.Popen(
            [sys.executable, "run.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            relay.settimeout(15)
            connection, _ = relay.accept()
            with connection:
                assert connection.recv(4) == b"GET "
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                output, errors = process.communicate(timeout=8)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert ("went on" in output) == (program is RELEASED)


@pytest.mark.parametrize("program", [APP, RELEASED], ids=["App", "start"])
def test_one_that_answers_and_is_silent_then_is_left_in_order(tmp_path: Path, program: str) -> None:
    async def meet() -> None:
        from aiohttp import WSMsgType, web

        closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        opened = asyncio.Event()

        async def handle(request: web.Request) -> web.WebSocketResponse:
            peer = web.WebSocketResponse()
            await peer.prepare(request)
            opened.set()
            while (await peer.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
                pass
            closed.set_result(peer.close_code)
            return peer

        application = web.Application()
        application.router.add_get("/meet/1", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        (tmp_path / "run.py").write_text(program.format(port=runner.addresses[0][1]))
        process = await asyncio.create_subprocess_exec(sys.executable, "run.py", cwd=tmp_path)
        try:
            await asyncio.wait_for(opened.wait(), 15)
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(closed, 5) == 1001
            assert await asyncio.wait_for(process.wait(), 8) == 0
        finally:
            if process.returncode is None:
                process.kill()
            await runner.cleanup()

    asyncio.run(meet())
