"""Where a server's time goes: one workload with py-spy watching, and the functions that took most of it."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import environments
from benchmarks.process import Server, observers
from benchmarks.run import run
from benchmarks.workload import Load, Workload

TOP = 15
RATE = 250
"""Samples per second."""
WINDOWS = 40
"""More than to measure: a profile wants some seconds of the same work."""


def main(workloads: Sequence[Workload], peers: Sequence[str]) -> int:
    """Print the top of each workload's profile, by column."""
    for workload in workloads:
        if not isinstance(workload, Load) or workload.restart:
            print(f"bench: {workload.name} cannot be profiled: it has no server that goes on", file=sys.stderr)
            continue
        for peer in peers:
            with tempfile.TemporaryDirectory() as folder:
                stacks = Path(folder) / "stacks"
                with watched(stacks):
                    run(workload, [peer], WINDOWS)
                print(f"\n{workload.title}, {peer}: share of the time on a core, in the function itself", flush=True)
                print(top(stacks.read_text()) if stacks.exists() else "  py-spy recorded nothing", flush=True)
    return 0


@contextmanager
def watched(stacks: Path) -> Iterator[None]:
    """Every server that becomes ready is recorded until it is killed, native functions too."""
    recorders: list[subprocess.Popen[bytes]] = []

    def watch(server: Server) -> None:
        command = [environments.python("profile").parent / "py-spy", "record", "--native"]
        command += ["--pid", str(server.pid), "--rate", str(RATE), "--format", "raw", "--output", str(stacks)]
        recorders.append(subprocess.Popen([*command, "--duration", "unlimited"], stdout=subprocess.DEVNULL))

    observers.append(watch)
    try:
        yield
    finally:
        observers.remove(watch)
        for recorder in recorders:  # it ends with the process that it watches, and writes its file then
            recorder.wait(30)


def top(stacks: str) -> str:
    """The functions with the most samples at the end of a stack, from `a;b;c COUNT` lines."""
    counts: collections.Counter[str] = collections.Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[_short(stack.split(";")[-1])] += int(count)
    total = sum(counts.values()) or 1
    return "\n".join(f"  {100 * count / total:5.1f} %  {name}" for name, count in counts.most_common(TOP))


def _short(function: str) -> str:
    """`name (folder/file.py)`: without the line, with the last two parts of the path."""
    return re.sub(r"\((?:.*/)?([^/]+/[^/:]+)(?::\d+)?\)$", r"(\1)", function)
