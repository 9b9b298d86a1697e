"""The states of a launcher's Slurm jobs: one `squeue` for all of them, and none without jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from wslink.launcher.spawners.engine import run
from wslink.per_loop import per_loop

logger: logging.Logger = logging.getLogger("wslink.launcher")

INTERVAL, LONGEST = 1.0, 5.0
"""Seconds between two questions: the least, and the most."""
SHARE = 10
"""A controller that is slow to answer is left alone for this many times as long as it took, up to `LONGEST`."""

COLUMNS = {
    "name": 64,
    "jobid": 20,
    "state": 20,
    "exit_code": 12,
    "batchhost": 256,
    "partition": 256,
    "prioritylong": 24,
    "reason": 256,
}
"""What is asked for, and how many characters it gets."""

GONE = "GONE"
"""The state of a job that Slurm does not know, or not any more."""
ENDED = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
        *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT", GONE),
    )
)
"""States of jobs of which nothing runs. COMPLETING is none of them."""


@dataclass(frozen=True)
class Job:
    """A job as Slurm describes it.

    Attributes:
        name: the job's.
        id: its number.
        state: such as PENDING.
        status: how it ended, as `os.waitstatus_to_exitcode` takes it.
        node: the node that runs its script; "" before it has one.
        partition: the queue, or several with commas.
        priority: the highest comes first.
        reason: why it waits or has ended.
    """

    name: str
    id: str = ""
    state: str = GONE
    status: int = 0
    node: str = ""
    partition: str = ""
    priority: int = 0
    reason: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def exit_code(self) -> int:
        """Its exit code, negative for a signal's number; 0 where nobody knows it."""
        try:
            return os.waitstatus_to_exitcode(self.status)
        except (ValueError, OverflowError):  # such as Slurm's number for "none"
            return 0


class Queue:
    """The jobs of one launcher. Use `job_queue`, which all sessions of an event loop share.

    A controller that does not answer changes nothing: jobs are as they were when it last did.
    """

    def __init__(self) -> None:
        self._watched: set[str] = set()
        self._jobs: dict[str, Job] = {}
        self._positions: dict[str, int] = {}
        self._addresses: dict[str, str] = {}
        self._waiting: list[asyncio.Future[bool]] = []
        self._watcher: asyncio.Task[None] | None = None
        self._silent = False

    def watch(self, name: str) -> None:
        """Ask for the job of this name from now on. It has been submitted, or else it is found GONE."""
        self._watched.add(name)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    def forget(self, name: str) -> None:
        """Do not ask for it any more."""
        self._watched.discard(name)
        self._jobs.pop(name, None)
        if not self._watched and self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def job(self, name: str) -> Job | None:
        """What Slurm last told of it; None before it has told anything."""
        return self._jobs.get(name)

    async def fresh(self, name: str) -> Job | None:
        """What Slurm tells when it is asked after now; None if it does not answer."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return self.job(name) if await waiter else None

    def position(self, name: str) -> int | None:
        """The place of a job that waits among those that wait for the same partition, as far as Slurm shows them;
        1 is the next. None where nothing is known."""
        return self._positions.get(name)

    def address(self, job: Job) -> str:
        """Where the job's node can be dialled; "" before it has one and as long as that is not known."""
        return self._addresses.get(job.node, "")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            # Who waits from now on waits for the next answer: this one may not know what they did.
            waiting, self._waiting = self._waiting, []
            answered = await self._ask(tuple(self._watched))
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(answered)
            await asyncio.sleep(min(max(INTERVAL, SHARE * (loop.time() - began)), LONGEST))

    async def _ask(self, names: Iterable[str]) -> bool:
        """Ask for the jobs of these names, and for what else there is to know of them; whether Slurm answered."""
        found = await self._squeue("--me", f"--name={','.join(names)}", "--states=all")
        if found is None:
            return False
        told = {job.name: job for job in found}
        jobs = {name: told.get(name, Job(name)) for name in names}
        if any(job.state == "PENDING" for job in jobs.values()):
            self._positions = _positions(await self._squeue("--states=PENDING") or [])
        for node in {job.node for job in jobs.values() if job.node} - set(self._addresses):
            await self._look_up(node)
        self._jobs.update({name: job for name, job in jobs.items() if name in self._watched})
        return True

    async def _squeue(self, *which: str) -> list[Job] | None:
        columns = ",".join(f"{name}:{width}" for name, width in COLUMNS.items())
        output = await self._run("squeue", "--noheader", f"--Format={columns}", *which)
        return None if output is None else [job for line in output.splitlines() if (job := _parsed(line))]

    async def _look_up(self, node: str) -> None:
        output = await self._run("scontrol", "--oneliner", "show", "node", node)
        found = re.search(r"\bNodeAddr=(\S+)", output or "")
        if found:
            self._addresses[node] = found[1]

    async def _run(self, *command: str) -> str | None:
        """What a command of Slurm's writes; None where it fails, which is told once."""
        try:
            code, output = await run(command)
        except (OSError, asyncio.TimeoutError) as error:
            code, output = -1, str(error) or "it takes too long"
        if code and not self._silent:
            logger.warning("Slurm does not answer: %s: %s", command[0], output.strip())
        self._silent = bool(code)
        return None if code else output


@per_loop
def job_queue() -> Queue:
    """The queue that all sessions of the running event loop share."""
    return Queue()


def _parsed(line: str) -> Job | None:
    """A line of squeue's; None for what is something else."""
    cells, start = [], 0
    for width in COLUMNS.values():
        cells.append(line[start : start + width].strip())
        start += width
    name, number, state, status, node, partition, priority, reason = cells
    if not (status.isdigit() and priority.isdigit()):
        return None
    node = "" if node == "n/a" else node
    return Job(name, number, state, int(status), node, partition, int(priority), reason)


def _positions(pending: Iterable[Job]) -> dict[str, int]:
    """The place of each job that waits among those of its partition, by name."""
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    for job in sorted(pending, key=lambda job: -job.priority):
        counts[job.partition] = counts.get(job.partition, 0) + 1
        places[job.name] = counts[job.partition]
    return places
