"""`wslink serve --workers` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.peers import Peer

PROGRAM = """
import asyncio, os
from wslink import App, Call
app = App(secret="secret", broker=os.environ.get("TEST_BROKER", ""))
topic = app.topic("test.topic")
app.presence("room.presence", "room")

@app.method("test.pid")
def pid() -> int:
    return os.getpid()

@app.method("test.publish")
def publish(value: int) -> int:
    return topic.publish(value)

@app.method("test.slow")
async def slow(seconds: float) -> None:
    await asyncio.sleep(seconds)

@app.method("test.join")
def join(call: Call) -> bool:
    return app.clients[call.client_id].join("room")

@app.method("test.clients")
def clients() -> int:
    return len(app.clients)
"""
HELLO = {"secret": "secret", "features": ["subscribe"]}


class Serving:
    def __init__(self, folder: Path, broker: str, count: int, *more: str) -> None:
        (folder / "program.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "wslink", "serve", "program:app", "--port", "0", "--host", "127.0.0.1"]
        with (folder / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                [*command, "--workers", str(count), *more],
                cwd=folder,
                env={**os.environ, "TEST_BROKER": broker},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"serving on (http://127.0.0.1:(\d+)/\S*) with (\d) workers", line)
        assert found, (line, (folder / "errors").read_text())
        self.port = int(found[2])
        self.url = f"ws://127.0.0.1:{self.port}/ws"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(20) == 0
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()

    async def pids(self, count: int) -> dict[int, Peer]:
        """A client at each of `count` workers, by the worker's process."""
        found: dict[int, Peer] = {}
        for _ in range(200):
            peer = await Peer.open(self.url)
            await peer.hello(**HELLO)
            pid = (await peer.call("test.pid"))["result"]
            if pid in found:
                await peer.close()
            else:
                found[pid] = peer
            if len(found) == count:
                return found
        raise AssertionError(f"connections reach {len(found)} workers")
