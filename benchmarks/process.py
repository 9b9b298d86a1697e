"""A server in a process of its own, on a core of its own, and what it costs."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from benchmarks import environments
from benchmarks.frames import Peer

SERVERS = Path(__file__).parent / "servers"
SERVER_CORE, LOAD_CORE = 0, 1
START_TIMEOUT = 20.0


def pin(core: int) -> None:
    """Keep this process, and those that it starts, to one core, where the machine has more than one. With
    `BENCH_REALTIME` they go before all other work, which then does not disturb what is measured by the clock."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})
    if os.environ.get("BENCH_REALTIME"):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


class Server:
    """A running server; use it with `with`."""

    def __init__(
        self, peer: Peer, *arguments: str, environment: Mapping[str, str] | None = None, output: IO[bytes] | None = None
    ) -> None:
        self.peer = peer
        self.port = _free_port()
        script, *more = peer.server
        self._process = subprocess.Popen(
            [environments.python(peer.environment), SERVERS / script, f"--port={self.port}", *more, *arguments],
            # Else ours, which is installed from its sources, would be compiled again each time that it starts.
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONPATH": str(environments.ROOT),
                **(environment or {}),
            },
            preexec_fn=lambda: pin(SERVER_CORE),
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.peer.dialect.path}"

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.peer.name} does not start (BENCH_VERBOSE=1 shows why)")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                time.sleep(0.1)
                return
        raise TimeoutError(f"{self.peer.name} does not listen")

    def __enter__(self) -> Server:
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    # Readings

    def cpu(self) -> float:
        """Seconds on a core so far, user and system, of all threads."""
        tasks = Path(f"/proc/{self.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def memory(self) -> int:
        """Bytes resident now."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """Most bytes resident since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, key: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)


def _free_port() -> int:
    """A port that nobody has, out of the range from which outgoing connections take theirs."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
