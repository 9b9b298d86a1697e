"""A line with a rate, a delay and a bottleneck buffer: a TCP proxy on loopback, in a process of its own.

    with Line(server_port, rate=20e6, delay=0.04, buffer=256 * 1024) as line:
        connect(f"ws://127.0.0.1:{line.port}/ws")
        line.change(rate=5e6)

Each direction is a queue of at most `buffer` bytes that leaves at `rate`, and then a pipe in which bytes are on their
way for `delay`. All connections through a line share both queues, first in, first out, as they do at a router. What
does not fit into a queue is not read, so it waits in the sender's kernel, as unacknowledged data does. The proxy's own
socket buffers are a few KiB. Opening a connection takes no time; apart from that nothing is faster than on the line.

`python -m benchmarks.line PORT` runs it alone, `python -m benchmarks.line --measure` measures its accuracy.
Standard library only; nothing is random.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Line:
    """A line to a port of this machine, as a process that ends with the `with` block.

    Args:
        target: port of the server.
        rate: bits per second in each direction.
        delay: one-way delay in seconds; the round trip takes twice that.
        buffer: bytes that wait at the bottleneck, in each direction, at most.

    Attributes:
        port: where clients connect instead of at `target`.
    """

    def __init__(self, target: int, *, rate: float, delay: float, buffer: int) -> None:
        self.target, self.rate, self.delay, self.buffer = target, rate, delay, buffer

    def __enter__(self) -> Line:
        command = [sys.executable, "-m", "benchmarks.line", str(self.target)]
        options = [f"--rate={self.rate}", f"--delay={self.delay}", f"--buffer={self.buffer}"]
        self._process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = int(self._answer()["port"])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def change(self, **values: float | bool) -> None:
        """Change `rate`, `delay` or `buffer`, or freeze the line (`frozen=True`): connections stay, nothing passes."""
        self._ask(values)

    def carried(self) -> tuple[int, int]:
        """Bytes that have left the queues: to clients, to the server."""
        down, up = self._ask({})["carried"]
        return down, up

    def _ask(self, values: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(values) + "\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer
