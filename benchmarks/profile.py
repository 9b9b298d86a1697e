"""Where a server's time goes: one workload with py-spy watching, and the functions that took most of it."""

from __future__ import annotations

import asyncio
import collections
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environments
from benchmarks.frames import PEERS
from benchmarks.process import Server
from benchmarks.workload import Load, Workload

TOP = 12
RATE = 200
"""Samples per second."""
SECONDS = 12.0
"""For which a server is watched at work."""


def main(workloads: Sequence[Workload], peers: Sequence[str]) -> int:
    """Print the top of each workload's profile, by column."""
    environments.python("profile")
    for workload in workloads:
        if not isinstance(workload, Load) or workload.restart:
            print(f"bench: {workload.name} cannot be profiled: it has no server that goes on", file=sys.stderr)
            continue
        for peer in peers:
            stacks = asyncio.run(profiled(workload, peer))
            print(f"\n{workload.title}, {peer}: share of the time on a core, in the function itself")
            print(top(stacks), flush=True)
    return 0


async def profiled(workload: Load, peer: str) -> str:
    """What py-spy recorded: lines of `a;b;c COUNT`, native functions too."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Server(PEERS[peer], *workload.arguments, environment=workload.environment) as server,
    ):
        async with workload.ready(server) as window:
            await window()
            stacks = Path(directory) / "stacks"
            recorder = _record(server.pid, stacks)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and recorder.poll() is None:
                await window()
            recorder.send_signal(signal.SIGINT)
            recorder.wait(60)
        return stacks.read_text() if stacks.exists() else ""


def _record(pid: int, stacks: Path) -> subprocess.Popen[bytes]:
    spy = environments.python("profile").parent / "py-spy"
    options = ["--native", "--rate", str(RATE), "--format", "raw", "--output", str(stacks), "--duration", "unlimited"]
    return subprocess.Popen([spy, "record", "--pid", str(pid), *options], stdout=subprocess.DEVNULL)


def top(stacks: str) -> str:
    """The functions with the most samples at the end of a stack."""
    counts: collections.Counter[str] = collections.Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[_short(stack.split(";")[-1])] += int(count)
    total = sum(counts.values()) or 1
    lines = [f"  {100 * count / total:5.1f} %  {name}" for name, count in counts.most_common(TOP)]
    return "\n".join([*lines, f"  of {total} samples"])


def _short(function: str) -> str:
    """`name (directory/file.py)`: without the line, with the last two parts of the path."""
    function = re.sub(r"^0x[0-9a-f]+ ", "memcpy or another without a name ", function)
    return re.sub(r"\((?:.*/)?([^/]+/[^/:]+)(?::\d+)?\)$", r"(\1)", function)
