"""Commands of the engine that runs sessions: a scheduler's or a container engine's."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wslink.launcher.spawners.base import LaunchSpec
from wslink.launcher.spawners.tree import MARK
from wslink.waiting import within

TIMEOUT = 30.0
"""Seconds that one command may take."""
KILLED = 1.0
"""Seconds in which one that was killed has gone, unless the system holds it up."""


async def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    errors: Path | None = None,
) -> tuple[int, str]:
    """Run a command; its exit code and output.

    Args:
        arguments: the program and its arguments. There is no shell.
        environment: all of its variables; the launcher's own unless given.
        given: what it reads.
        errors: the file that gets what it writes to stderr; that is part of the output unless given.

    Raises:
        OSError: if it cannot be run.
        asyncio.TimeoutError: if it takes longer than `TIMEOUT`; it has been killed then.
    """
    with contextlib.nullcontext(asyncio.subprocess.STDOUT) if errors is None else appending(errors) as stderr:
        process = await popen(arguments, asyncio.subprocess.PIPE, stderr, environment, asyncio.subprocess.PIPE)
    try:
        output, _ = await within(process.communicate(given), TIMEOUT)
    except BaseException:
        await _kill(process)
        raise
    return process.returncode or 0, output.decode(errors="replace")


async def popen(
    arguments: Sequence[str],
    output: int,
    errors: int = asyncio.subprocess.STDOUT,
    environment: Mapping[str, str] | None = None,
    given: int = asyncio.subprocess.DEVNULL,
) -> asyncio.subprocess.Process:
    """Start a command in a Unix session of its own. Raises OSError."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *arguments, stdin=given, stdout=output, stderr=errors, env=environment, start_new_session=True
        )
    )
    _starting.add(starting)
    starting.add_done_callback(_starting.discard)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await _kill(starting.result())
        raise


_starting: set[asyncio.Future[asyncio.subprocess.Process]] = set()
"""Commands that are being started. asyncio's start of a process that is cancelled within it waits for ever."""


async def settled() -> None:
    """Return once no command is being started. Before an event loop ends, which cancels all that runs."""
    loop = asyncio.get_running_loop()
    while starting := [one for one in _starting if one.get_loop() is loop]:
        await asyncio.wait(starting)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a command, and wait a moment for its end: its transport is closed then."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(asyncio.TimeoutError):
        await within(process.wait(), KILLED)


def environment_of(spec: LaunchSpec) -> dict[str, str]:
    """The launcher's variables and the session's, with the mark by which `tree` finds a command that was cut off."""
    return {**os.environ, **spec.environment, MARK: spec.id}


@contextlib.contextmanager
def appending(path: Path) -> Iterator[int]:
    """A log, open for what is added to it; its owner alone reads it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
