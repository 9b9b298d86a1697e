"""What resumption costs a small call (docs/protocol/resume.md): `python -m benchmarks.resumption`.

One server, and two clients of it, one of which can be resumed. They call in alternating windows, and the server's CPU
time is read before and after each: what else the machine does hits both alike. Functions are counted as in `entered`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.entered import SERVER, Connection, count, load

WINDOWS, CALLS = 60, 2000
WITHOUT, WITH = (("flow", "cancel"), ("flow", "cancel", "resume"))
"""The features of a client of ours that acknowledges all the same, and of one that can be resumed beside."""
IN_FLIGHT = (1, 50)
MAX_CPU, MAX_FUNCTIONS = 0.05, 2.0


class Cost(NamedTuple):
    """Of a small call.

    Attributes:
        without: microseconds of CPU where the client cannot be resumed.
        extra: what resumption adds to that: the median of the windows, as a share.
        functions: Python functions that it adds, counted with one call at a time: of more, it is chance how many
            arrive together.
    """

    without: float
    extra: float
    functions: float


def _cpu(pid: int) -> int:
    """Nanoseconds that the main thread of a process has run."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


def measure(in_flight: int, windows: int = WINDOWS, calls: int = CALLS) -> Cost:
    """Measure with so many calls under way."""
    with subprocess.Popen(
        [sys.executable, str(SERVER), "app"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        clients = [Connection(port, 2, features) for features in (WITHOUT, WITH)]
        used: tuple[list[float], list[float]] = ([], [])
        for window in range(-4, windows):
            for which in (0, 1) if window % 2 else (1, 0):
                before = _cpu(server.pid)
                load([clients[which]], in_flight, calls)
                if window >= 0:
                    used[which].append((_cpu(server.pid) - before) / calls / 1000)
        for client in clients:
            client.socket.close()
        server.stdin.close()
    extra = statistics.median(more / less for less, more in zip(*used, strict=True)) - 1
    entered = [count("app", 2, 1, 1, 4000, features=features).total for features in (WITHOUT, WITH)]
    return Cost(statistics.median(used[0]), extra, entered[1] - entered[0])


def main() -> int:
    too_much = False
    for in_flight in IN_FLIGHT:
        cost = measure(in_flight)
        too_much |= cost.extra > MAX_CPU or cost.functions > MAX_FUNCTIONS
        print(
            f"{in_flight} in flight: {cost.without:.1f} us without, {cost.extra:+.1%} CPU and {cost.functions:+.1f} "
            f"functions with resume (allowed: {MAX_CPU:.0%}, {MAX_FUNCTIONS:.0f})",
            flush=True,
        )
    return too_much


if __name__ == "__main__":
    sys.exit(main())
