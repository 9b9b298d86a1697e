"""The Tornado backend in a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

import wslink
from tests.ports import free_port

pytest.importorskip("tornado")

PROGRAM = """
import argparse
from wslink import server
from wslink.websocket import ServerProtocol

class Viewer(ServerProtocol):
    def port_callback(self, port):
        print("port", port, flush=True)

parser = argparse.ArgumentParser()
server.add_arguments(parser)
server.start_webserver(parser.parse_args(), Viewer, backend="tornado")
print("went on", flush=True)
"""


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[subprocess.Popen[str], int]]:
    """The program, and its port once it accepts."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--host", "127.0.0.1", "--port", str(port), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == f"port {port}\n"
        yield process, port
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_server_and_the_program_goes_on(number: signal.Signals) -> None:
    async with running() as (process, port):
        async with wslink.connect(f"ws://127.0.0.1:{port}/ws", secret="wslink-secret", reconnect=False) as link:
            process.send_signal(number)
            assert (await asyncio.wait_for(link.wait_closed(), 10)).code == 1001
        assert await asyncio.to_thread(process.communicate, timeout=10) == ("went on\n", "")
        assert process.returncode == 0


async def test_without_signal_handlers_a_signal_is_pythons() -> None:
    async with running("--nosignalhandlers") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == -signal.SIGTERM
