"""All processes of a session: found by descent, by the Unix session that it was started in, and by a mark in the
environment. Together they also find what was left behind when its parent ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

MARK = "WSLINK_LAUNCHER_SESSION"
"""The environment variable that holds a session's id."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGKILL") if hasattr(signal, name))
_POLL = 0.02


async def end_all(session_id: str, leader: psutil.Process | None, grace: float) -> None:
    """End every process of a session: interrupt, ask to end, kill, with `grace` seconds between."""
    for number in _SIGNALS:
        processes = await asyncio.to_thread(find, session_id, leader)
        if not processes:
            return
        _send(processes, number)
        await _gone(processes, grace if number != signal.SIGKILL else 5.0)


def find(session_id: str, leader: psutil.Process | None) -> list[psutil.Process]:
    """The session's processes that run."""
    found = {process.pid: process for process in _descendants(leader)}
    number = _session_number(leader)
    for pid in psutil.pids():
        if pid not in found and (_is_in(number, pid) or mark_of(pid) == session_id):
            try:
                found[pid] = psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue
    return [process for process in found.values() if runs(process)]


def users_of(leader: psutil.Process | None) -> set[int]:
    """The users that a session's processes run as: its leader, and what descends from it."""
    found: set[int] = set()
    for process in _descendants(leader):
        with contextlib.suppress(psutil.Error, AttributeError):
            found.update(process.uids())
    return found


def runs(process: psutil.Process) -> bool:
    """Whether it is there and does not merely wait for its parent to ask how it ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descendants(leader: psutil.Process | None) -> Iterator[psutil.Process]:
    if leader is not None and leader.is_running():
        yield leader
        try:
            yield from leader.children(recursive=True)
        except psutil.NoSuchProcess:
            return


def _session_number(leader: psutil.Process | None) -> int | None:
    """The number of the Unix session, unless its leader has ended and another process got that number."""
    if leader is None or (not leader.is_running() and psutil.pid_exists(leader.pid)):
        return None
    return leader.pid


def _is_in(number: int | None, pid: int) -> bool:
    try:
        return number is not None and os.getsid(pid) == number
    except (OSError, AttributeError):
        return False


def mark_of(pid: int) -> str | None:
    """The id of the session that a process carries the mark of, if it does."""
    try:
        if os.path.isdir("/proc/self"):
            name = f"{MARK}=".encode()
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return next((one[len(name) :].decode() for one in variables if one.startswith(name)), None)
        return psutil.Process(pid).environ().get(MARK)
    except (OSError, ValueError, psutil.Error):
        return None


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


async def _gone(processes: list[psutil.Process], patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while loop.time() < deadline and any(map(runs, processes)):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_POLL)
