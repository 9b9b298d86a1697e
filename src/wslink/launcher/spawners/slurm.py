"""Sessions as batch jobs of Slurm.

`sbatch` gets a script on its standard input that becomes the session's command; the job's output is the session's log.
What other users of a cluster see of a job holds nothing that opens a session: the job and its log are named by a hash
of the session's id, and variables, which may be secrets, travel in the environment.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from wslink.errors import StartFailed, UsageError
from wslink.launcher.advice import unknown_fields
from wslink.launcher.configuration import Text
from wslink.launcher.log import tail
from wslink.launcher.session import public_name
from wslink.launcher.spawners import engine
from wslink.launcher.spawners.base import LaunchSpec, Spawner
from wslink.launcher.spawners.squeue import Job, job_queue
from wslink.launcher.spawners.tree import MARK, end_all, find
from wslink.launcher.validation import field_problems
from wslink.launcher.variables import names

TEMPLATE = r"|.*\$.*"
"""A value that holds a variable is checked by Slurm, when it is filled in."""
FOREIGN = ("--array", "-a", "--clusters", "-M", "--test-only", "--wait", "-W", "--wrap")
"""Arguments of sbatch with which it does something else than to submit one job."""
PRIVATE = frozenset(("id", "secret", "secret_file", "sessionURL", "token"))
"""Variables that options must not name: Slurm shows options to everybody."""
_INTERVAL = 0.05


class Options(Struct, frozen=True):
    """The application's `options`, as sbatch gets them."""

    partition: Annotated[str, Meta(min_length=1, description="the partition to submit to, or several with commas")] = ""
    account: Annotated[str, Meta(min_length=1, description="the account that is charged")] = ""
    qos: Annotated[str, Meta(min_length=1, description="the quality of service")] = ""
    time: Annotated[
        Annotated[str, Meta(pattern=rf"^(\d+(:\d+){{0,2}}|\d+-\d+(:\d+){{0,2}}|UNLIMITED{TEMPLATE})$")] | int,
        Meta(description="the time limit: minutes, or such as 4:00:00 or 1-12"),
    ] = ""
    cpus: Annotated[
        Annotated[str, Meta(pattern=rf"^([1-9]\d*{TEMPLATE})$")] | Annotated[int, Meta(ge=1)],
        Meta(description="the number of processors"),
    ] = ""
    memory: Annotated[
        Annotated[str, Meta(pattern=rf"^(\d+[KMGT]?{TEMPLATE})$")] | int,
        Meta(description="the memory of each node: MiB, or such as 16G"),
    ] = ""
    gpus: Annotated[
        Annotated[str, Meta(pattern=rf"^(([\w.-]+:)?\d+{TEMPLATE})$")] | int,
        Meta(description="the number of GPUs, or such as a100:2"),
    ] = ""
    arguments: Annotated[
        tuple[Annotated[Text, Meta(pattern="^-")], ...],
        Meta(description="a list of more arguments of sbatch, each --name, --name=value or -nvalue"),
    ] = ()


FLAGS = {
    "partition": "--partition",
    "account": "--account",
    "qos": "--qos",
    "time": "--time",
    "cpus": "--cpus-per-task",
    "memory": "--mem",
    "gpus": "--gpus",
}
"""Each option's argument of sbatch."""


class SlurmSpawner(Spawner):
    """Submits a job per session, and follows it with the `job_queue` of all sessions."""

    anywhere = True

    def __init__(self, spec: LaunchSpec) -> None:
        super().__init__(spec)
        self._name = job_name(spec.id)
        self._queue = job_queue()
        self._number = ""
        self._node = ""
        self._refused = False
        self._told_end = False

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        problems = [*unknown_fields((), dict(options), Options), *field_problems((), dict(options), Options)]
        for key, text in problems:
            raise UsageError(f"options.{key[0]}: {text}")
        for argument in options.get("arguments", ()):
            if argument.partition("=")[0] in FOREIGN:
                raise UsageError(f"options.arguments: {argument} cannot be had; one job is submitted per session")
        for name, value in options.items():
            private = names(value if isinstance(value, list) else [value]) & PRIVATE
            if private:
                raise UsageError(f"options.{name}: ${{{min(private)}}} would be shown to everybody by squeue")

    async def start(self) -> None:
        try:
            self._make_log()
            environment = {"PYTHONUNBUFFERED": "1", **engine.environment_of(self.spec)}
            given = script(self.spec.command).encode("utf-8", "surrogateescape")
            code, output = await engine.run(
                self._submission(), environment=environment, given=given, errors=self.spec.log
            )
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            self._refused = not isinstance(error, asyncio.TimeoutError)
            raise StartFailed("The process did not properly start: sbatch cannot be run.") from error
        if code != 0:
            log = tail(self.spec.log)
            # Where the answer did not come in time there may be a job all the same.
            self._refused = "timed out" not in log
            raise StartFailed(f"The process did not properly start: sbatch ended with {code}.", code, log)
        self._number = output.strip()
        self._queue.watch(self._name)

    async def poll(self) -> int | None:
        job = self._queue.job(self._name)
        if job is None or not job.ended:
            return None
        self._tell_end(job)
        return job.exit_code

    async def stop(self) -> None:
        if self._refused:
            return
        if not self._number:
            await self._until_submitted()
        self._queue.watch(self._name)
        job = self._queue.job(self._name)
        while job is None or not job.ended:
            if job is None or job.state != "COMPLETING":
                await self._cancel()
            job = await self._queue.fresh(self._name)
        self._queue.forget(self._name)

    def leave(self) -> None:
        self._queue.forget(self._name)

    def state(self) -> dict[str, Any]:
        self.address()  # notes the node
        return {"job": self._number, "node": self._node}

    async def restore(self, state: Mapping[str, Any]) -> bool:
        self._number, self._node = state.get("job", ""), state.get("node", "")
        if not self._number:
            return False
        self._queue.watch(self._name)
        # Where Slurm does not answer now, it may run; the next answer will tell.
        job = await self._queue.fresh(self._name)
        return job is None or not job.ended

    def address(self) -> tuple[str, int]:
        job = self._queue.job(self._name)
        if job is not None:
            self._node = self._queue.address(job) or self._node
        # Nobody must be dialled at the session's port before the node is known.
        return (self._node, self.spec.port) if self._node else (self.spec.host, 0)

    def progress(self) -> str:
        job = self._queue.job(self._name)
        if job is None:
            return "in the queue"
        if job.state == "PENDING":
            position = self._queue.position(self._name)
            place = f", position {position}" if position else ""
            return f"in the queue{place} ({job.reason})"
        return "" if job.state == "RUNNING" else job.state.lower()

    def _make_log(self) -> None:
        """Name the log by what everybody may know, and lead from the session's id to it."""
        with engine.appending(self._log):
            pass
        self.spec.log.symlink_to(self._log.name)

    @property
    def _log(self) -> Path:
        return self.spec.log.absolute().with_name(f"{self._name}.txt")

    def _submission(self) -> list[str]:
        options = self.spec.options
        chosen = [f"{flag}={options[name]}" for name, flag in FLAGS.items() if options.get(name)]
        own = {
            "job-name": self._name,
            "output": str(self._log).replace("%", "%%"),
            "open-mode": "append",
            "export": "ALL",
            "chdir": self.spec.cwd or str(Path.cwd()),
        }
        # Those given last count.
        return [
            *("sbatch", *chosen, *options.get("arguments", ())),
            *(f"--{name}={value}" for name, value in own.items()),
            *("--parsable", "--no-requeue"),
        ]

    async def _until_submitted(self) -> None:
        """Let a submission that was cut off come to its end, so that its job can be found and cancelled."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + engine.TIMEOUT
        while (found := await asyncio.to_thread(find, self.spec.id, None)) and loop.time() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_INTERVAL)
        if found:
            await end_all(self.spec.id, None, self.spec.grace)

    async def _cancel(self) -> None:
        try:
            await engine.run(["scancel", self._number or f"--name={self._name}"])
        except (OSError, asyncio.TimeoutError):
            return  # `stop` asks whether it is there, and comes again

    def _tell_end(self, job: Job) -> None:
        """Say in the log how Slurm ended it, which the exit code does not tell."""
        if not self._told_end and job.state not in ("COMPLETED", "FAILED"):
            with engine.appending(self._log) as log, open(log, "w", closefd=False) as file:
                reason = f" ({job.reason})" if job.reason not in ("", "None") else ""
                file.write(f"slurm: job {self._number} ended: {job.state}{reason}\n")
        self._told_end = True


def job_name(session_id: str) -> str:
    """The name of a session's job. Everybody sees it, and it does not tell the id."""
    return f"wslink-{public_name(session_id)}"


def script(command: Sequence[str]) -> str:
    """A batch script that becomes the command.

    The mark is taken off: it is for processes of the launcher's machine. A line that is no comment stands first, or
    sbatch would read the command's arguments for options.
    """
    return f"#!/bin/sh\nunset {MARK}\nexec {shlex.join(command)}\n"
