"""What the workers of a history serve; see history.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.cluster.switch import Switch
from tests.peers import Peer
from tests.ports import free_port

PROGRAM = """
import os, itertools
from wslink import App, Call, Limits
limits = Limits(resume_window=10)  # sessions whose claim was lost, such as while the broker is away, end by then
app = App(secret="secret", broker=os.environ["TEST_BROKER"], limits=limits)
topic = app.topic("test.topic")
state = app.topic("test.state", delivery="latest", retain=True)
numbers = itertools.count()

@app.method("test.burst")
def burst(count: int, large: int) -> int:
    for place in range(count):
        number = next(numbers)
        content = [bytes([number % 256]) * large] if large and place == count // 2 else []
        topic.publish([os.getpid(), number, *content])
    return count

@app.method("test.set")
def set_(key: str, value: int) -> int:
    return state.publish([key, value], key=key)

@app.method("test.clients")
def clients() -> list[str]:
    return sorted(app.clients)
"""
HASTE = """
from wslink.cluster import cluster
cluster.BEAT, cluster.DEAD_AFTER = 0.5, 2.5
"""
"""For a program whose workers notice sooner that one is dead."""
HELLO = {"secret": "secret", "features": ["subscribe"]}


class Worker:
    """A process that serves the program, and is started again after a kill."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._url = url
        self.line: Switch
        """Its connections to the broker."""
        self.process: subprocess.Popen[bytes]

    async def begin(self) -> None:
        parts = urlsplit(self._url)
        self.line = await Switch(parts.port or 0).start()
        self._url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{self.line.port}"))
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "wslink", "serve", "program:app", "--host", "127.0.0.1"]
        with (self._folder / f"{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self._folder,
                env={**os.environ, "TEST_BROKER": self._url},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


async def ask(worker: Worker, method: str, *args: Any, asked: set[str] | None = None) -> Any:
    """What a worker responds to a client of its own, whose id is added to `asked`; None where it cannot be reached."""
    try:
        async with await Peer.open(f"ws://127.0.0.1:{worker.port}/ws") as peer:
            await peer.hello(**HELLO)
            if asked is not None:
                asked.add(peer.client_id)
            return (await peer.call(method, *args)).get("result")
    except Exception:
        return None
