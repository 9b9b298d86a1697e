"""Sessions as processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from wslink.errors import StartFailed
from wslink.launcher.spawners.base import LaunchSpec, Spawner
from wslink.launcher.spawners.tree import MARK, end_all, runs, users_of

logger: logging.Logger = logging.getLogger("wslink.launcher")


class LocalSpawner(Spawner):
    """Starts the command in a Unix session of its own, with its output in the log.

    The output goes straight to the file, so that a session outlives its launcher.
    """

    def __init__(self, spec: LaunchSpec) -> None:
        super().__init__(spec)
        self._child: subprocess.Popen[bytes] | None = None
        self._leader: psutil.Process | None = None
        # In the directory for temporary files: paths of Unix sockets must be short.
        self._handoff = os.path.join(tempfile.gettempdir(), f"wslink-{secrets.token_hex(8)}")

    async def start(self) -> None:
        with contextlib.suppress(OSError):
            os.mkdir(self._handoff, 0o700)
        try:
            self._child = await asyncio.to_thread(self._popen)
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is malformed"
            # Its client is told no path of this machine.
            place = f" in {self.spec.cwd}" if self.spec.cwd else ""
            logger.error("the program %r cannot be started%s: %s", self.spec.command[0], place, reason)
            raise StartFailed(f"The process did not properly start: {reason}.") from error
        with contextlib.suppress(psutil.NoSuchProcess):
            self._leader = psutil.Process(self._child.pid)
            self._limit(self._leader)

    async def poll(self) -> int | None:
        if self._child is not None:
            return self._child.poll()
        return None if self._leader is not None and runs(self._leader) else 0

    async def stop(self) -> None:
        await end_all(self.spec.id, self._leader, self.spec.grace)
        if self._child is not None:
            self._child.poll()  # or it stays as a zombie
        shutil.rmtree(self._handoff, ignore_errors=True)

    def handoff_directory(self) -> str:
        return self._handoff

    def users(self) -> frozenset[int]:
        return frozenset(users_of(self._leader))

    def pid(self) -> int | None:
        return self._leader.pid if self._leader is not None and self._leader.is_running() else None

    def state(self) -> dict[str, Any]:
        found = {"pid": self._leader.pid, "created": self._leader.create_time()} if self._leader else {}
        return {"handoff": self._handoff, **found}

    async def restore(self, state: Mapping[str, Any]) -> bool:
        self._handoff = state.get("handoff", self._handoff)
        try:
            leader = psutil.Process(state["pid"])
            # Another process may have got the number since.
            if leader.create_time() == state["created"]:
                self._leader = leader
        except (KeyError, psutil.Error):
            return False
        return await self.poll() is None

    def _popen(self) -> subprocess.Popen[bytes]:
        spec = self.spec
        # Only the owner reads it: sessions print what they were started with.
        log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603 - an argument list whose program the configuration names
                spec.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=spec.cwd or None,
                env=self._environment(),
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONUNBUFFERED": "1",  # a ready line that waits in a buffer is found too late
            **os.environ,
            "WSLINK_HANDOFF": self._handoff,
            **self.spec.environment,
            MARK: self.spec.id,
        }

    def _limit(self, process: psutil.Process) -> None:
        limits = self.spec.limits
        if limits.nice:
            with contextlib.suppress(psutil.Error, OSError):
                process.nice(limits.nice)
            # Where Linux groups processes by their Unix session, the group's counts between sessions.
            with contextlib.suppress(OSError):
                Path(f"/proc/{process.pid}/autogroup").write_text(str(limits.nice))
        wanted = {
            "RLIMIT_AS": limits.memory_mb * 2**20,
            "RLIMIT_CPU": limits.cpu_seconds,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_NPROC": limits.processes,
        }
        for name, value in wanted.items():
            if value and hasattr(psutil, name):
                with contextlib.suppress(psutil.Error, OSError):
                    process.rlimit(getattr(psutil, name), (value, value))
