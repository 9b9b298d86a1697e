"""What a server that is watched costs per small call (docs/observability.md): `python -m benchmarks.watching`.

A server each without anything, with metrics, with the inspector, which nobody looks at, and with the recorder. One
client of each calls in alternating windows, and the servers' CPU time is read before and after each: what else the
machine does hits all alike.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.entered import SERVER, Connection, load

WINDOWS, CALLS = 60, 2000
WATCHED = ("app", "metrics", "inspector", "recorder")
"""See benchmarks/servers/entered.py."""
IN_FLIGHT = (1, 50)
MAX_EXTRA = {"metrics": 0.10, "recorder": 0.20}
"""CPU time beside that of a server that is not watched, as a share of it."""


def measure(in_flight: int, windows: int = WINDOWS, calls: int = CALLS) -> dict[str, tuple[float, float]]:
    """Microseconds of CPU time per small call of each, and its share over the first: medians of the windows."""
    used: dict[str, list[float]] = {name: [] for name in WATCHED}
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(_server(name)) for name in WATCHED}
        clients = {name: Connection(int(_line(one)), 2, ("flow", "cancel")) for name, one in servers.items()}
        for window in range(-4, windows):
            turn = window % len(WATCHED)
            for name in (*WATCHED[turn:], *WATCHED[:turn]):
                before = _cpu(servers[name].pid)
                load([clients[name]], in_flight, calls)
                if window >= 0:
                    used[name].append((_cpu(servers[name].pid) - before) / calls / 1000)
        for name, one in servers.items():
            clients[name].socket.close()
            assert one.stdin is not None
            one.stdin.close()
    bare = used["app"]
    return {
        name: (statistics.median(one), statistics.median(a / b for a, b in zip(one, bare, strict=True)) - 1)
        for name, one in used.items()
    }


def _server(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SERVER), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _line(server: subprocess.Popen[bytes]) -> bytes:
    assert server.stdout is not None
    return server.stdout.readline()


def _cpu(pid: int) -> int:
    """Nanoseconds that the main thread of a process has run."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


def main() -> int:
    too_much = False
    for in_flight in IN_FLIGHT:
        for name, (cost, extra) in measure(in_flight).items():
            most = MAX_EXTRA.get(name)
            allowed = f" (allowed: {most:.0%})" if most is not None else ""
            too_much |= most is not None and extra > most
            print(f"{in_flight} in flight, {name}: {cost:.1f} us, {extra:+.1%} CPU{allowed}", flush=True)
    return too_much


if __name__ == "__main__":
    sys.exit(main())
