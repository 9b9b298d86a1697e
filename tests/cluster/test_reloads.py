"""SIGHUP to `wslink serve --workers`, as an administrator sends it: twice, too early, with a program that is broken."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.serving import PROGRAM, Serving
from tests.waiting import until

pytestmark = pytest.mark.timeout(90)

ONE_WAITS = """
import time
from pathlib import Path
try:
    Path("wait").unlink()
except OSError:
    pass
else:
    while not Path("go").exists():
        time.sleep(0.05)
"""
"""A program of which the next worker to start is not ready for a while, where there is a file `wait`."""


async def pids(serving: Serving, enough: Callable[[set[int]], bool]) -> set[int]:
    """The workers that serve, once these are as they should be."""
    deadline = time.monotonic() + 30
    while True:
        found = await serving.pids(2)
        for peer in found.values():
            await peer.close()
        if enough(set(found)):
            return set(found)
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def test_a_program_that_is_broken_leaves_the_workers_as_they_are(serving: Serving, folder: Path) -> None:
    before = await pids(serving, lambda found: True)
    (folder / "program.py").write_text("raise RuntimeError('not finished yet')")
    try:
        serving.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while "the ones before are kept" not in (folder / "errors").read_text():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await pids(serving, lambda found: True) == before
        assert "not finished yet" in (folder / "errors").read_text()
    finally:
        (folder / "program.py").write_text(PROGRAM)


async def test_workers_are_looked_after_while_a_new_one_is_not_ready_and_a_second_signal_counts(
    serving: Serving, folder: Path
) -> None:
    (folder / "program.py").write_text(ONE_WAITS + PROGRAM)
    (folder / "wait").touch()
    before = await pids(serving, lambda found: True)
    serving.process.send_signal(signal.SIGHUP)
    while (folder / "wait").exists():
        await asyncio.sleep(0.02)
    assert await pids(serving, lambda found: True) == before, "the old ones serve meanwhile"
    replaced, other = sorted(before)  # in the order in which they were started
    os.kill(other, signal.SIGKILL)
    meanwhile = await pids(serving, lambda found: replaced in found and other not in found)
    serving.process.send_signal(signal.SIGHUP)
    await asyncio.sleep(0.2)
    (folder / "go").touch()
    await pids(serving, lambda found: not found & (before | meanwhile))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux can limit another process")
async def test_a_worker_that_cannot_be_replaced_yet_is_replaced_later(serving: Serving, folder: Path) -> None:
    """The others serve meanwhile, also where they are to be replaced, and hundreds of signals arrive at once."""
    limit = resource.RLIMIT_NOFILE
    soft, hard = resource.prlimit(serving.process.pid, limit)
    first = await serving.pids(2)
    killed, other = sorted(first)
    resource.prlimit(serving.process.pid, limit, (0, hard))
    try:
        os.kill(killed, signal.SIGKILL)
        await until(lambda: "no worker can be started: [Errno 24]" in (folder / "errors").read_text(), 20)
        serving.process.send_signal(signal.SIGHUP)
        await until(lambda: "no new worker can be started" in (folder / "errors").read_text(), 20)
        for _ in range(1000):
            serving.process.send_signal(signal.SIGHUP)
        assert (await first[other].call("test.pid"))["result"] == other
    finally:
        resource.prlimit(serving.process.pid, limit, (soft, hard))
        for peer in first.values():
            await peer.close()
    await pids(serving, lambda found: other in found and killed not in found)
    serving.process.send_signal(signal.SIGHUP)
    await pids(serving, lambda found: not found & {killed, other})
