"""Sessions that other programs run: any scheduler or container engine that has commands to start, ask and stop.

The application's `options` are lists of arguments. Besides the usual variables they may name `${handle}`, which is what
`start` wrote last (a container's or a job's id); the element `${command}` becomes the session's command.

    start     starts the session and returns; writes the handle on its last line
    poll      succeeds as long as the session runs or waits to run
    stop      ends the session; also run for one that has ended, and for one whose start was cut off: that has no handle
              yet, so name things by `${id}`
    log       optional; writes the session's output, and goes on as long as the session runs. Where there is `waits`, it
              is run once that succeeds and writes nothing: before, an engine has no output yet
    address   optional; writes "host:port" as soon as the session has them
    waits     optional; writes what the session waits for, on one line; nothing once it runs
    answers   optional; succeeds as long as the engine can be asked. Where it fails, a `poll` that failed says nothing
              of the session, and a `stop` that failed is run again
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from wslink.errors import StartFailed, UsageError
from wslink.launcher.log import tail
from wslink.launcher.session import public_name
from wslink.launcher.spawners.base import COMMAND, HANDLE, LaunchSpec, Spawner
from wslink.launcher.spawners.engine import appending, environment_of, popen, run
from wslink.launcher.spawners.tree import end_all

logger: logging.Logger = logging.getLogger("wslink.launcher")

NEEDED, OPTIONAL = ("start", "poll", "stop"), ("log", "address", "waits", "answers")

INTERVAL = 0.5
"""Seconds between two questions to the engine."""
FAILURES = 3
"""Polls that have to fail one after the other before a session is taken to have ended."""
PATIENCE = 60.0
"""Seconds in which an engine that cannot be asked has to come back for a session that is to be stopped."""


class CommandSpawner(Spawner):
    """Runs the commands of the application's `options`; see above."""

    anywhere = True

    def __init__(self, spec: LaunchSpec) -> None:
        super().__init__(spec)
        self._handle = ""
        self._waits = ""
        # Port 0 until the engine has said where: a session whose address is unknown is not ready.
        self._found = (spec.host, 0 if "address" in spec.options else spec.port)
        self._failures = 0
        self._watcher: asyncio.Task[None] | None = None
        self._follower: asyncio.subprocess.Process | None = None

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        for name in NEEDED:
            if name not in options:
                raise UsageError(f"options.{name} is missing; it is a list of arguments")
        for name, value in options.items():
            if name not in NEEDED + OPTIONAL:
                raise UsageError(f"options.{name}: one of {', '.join(NEEDED + OPTIONAL)}")
            if not isinstance(value, list) or not value:
                raise UsageError(f"options.{name}: a list of arguments is needed, not {value!r}")

    async def start(self) -> None:
        try:
            code, output = await self._run("start")
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            raise StartFailed("The process did not properly start: its engine cannot be run.") from error
        if code != 0:
            log = tail(self.spec.log)
            raise StartFailed(f"The process did not properly start: its engine ended with {code}.", code, log)
        self._handle = (output.strip().splitlines() or [""])[-1].strip()
        await self._begin()

    async def poll(self) -> int | None:
        return None if self._failures < FAILURES else 0

    def leave(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self._follower is not None and self._follower.returncode is None:
            self._follower.terminate()

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])  # the event loop must not end before
        if not await self._stopped():
            logger.error("session %s may run on: its engine cannot be asked", public_name(self.spec.id))
        # What runs on this machine for it: the follower of its log, and a start that was cut off.
        await end_all(self.spec.id, None, self.spec.grace)
        if self._follower is not None:
            await self._follower.wait()

    def state(self) -> dict[str, Any]:
        return {"handle": self._handle, "address": list(self._found)}

    async def restore(self, state: Mapping[str, Any]) -> bool:
        if "handle" not in state:
            return False
        self._handle = state["handle"]
        self._found = (state["address"][0], state["address"][1])
        ended = (
            await self._ended() and await self._ended()
        )  # it may have come back between a poll and what it says then
        if not ended:  # or the engine cannot be asked now; the watcher will find out
            await self._begin()
        return not ended

    def address(self) -> tuple[str, int]:
        return self._found

    def progress(self) -> str:
        return self._waits

    async def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())
        if "waits" not in self.spec.options:
            await self._follow()

    async def _follow(self) -> None:
        """Have what the session writes written to its log, from now on."""
        if "log" in self.spec.options and self._follower is None:
            with contextlib.suppress(OSError), appending(self.spec.log) as log:
                environment = environment_of(self.spec)
                self._follower = await popen(self._arguments("log"), log, environment=environment)

    async def _watch(self) -> None:
        while self._failures < FAILURES:
            await asyncio.sleep(INTERVAL)
            self._failures = self._failures + 1 if await self._ended() else 0
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                unknown, waits = await self._run("waits")
                self._waits = waits.strip()
                if not self._waits and not unknown:
                    await self._follow()
                self._find((await self._run("address"))[1].strip())

    async def _ended(self) -> bool:
        """Whether the engine says that the session has ended."""
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            return bool((await self._run("poll"))[0]) and await self._answers()
        return False

    async def _stopped(self) -> bool:
        """Run `stop`, again and again for `PATIENCE` while the engine cannot be asked; whether it could be."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        answered = "answers" not in self.spec.options
        while True:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                if (await self._run("stop"))[0] == 0:
                    return True
            if answered:  # before that: it failed for another reason, such as that nothing is there
                return True
            answered = await self._answers()
            if not answered:
                if asyncio.get_running_loop().time() > deadline:
                    return False
                await asyncio.sleep(INTERVAL)

    async def _answers(self) -> bool:
        """Whether the engine can be asked, as far as is known."""
        try:
            return (await self._run("answers"))[0] == 0
        except asyncio.TimeoutError:
            return False
        except OSError:  # there is no such program, or no room to note what it says: that is not the engine's fault
            return True

    def _find(self, text: str) -> None:
        host, _, port = text.rpartition(":")
        if host and port.isdigit():
            self._found = (host, int(port))

    async def _run(self, name: str) -> tuple[int, str]:
        """Run one of the commands; its exit code and output. What it says besides goes to the log. Raises as
        `engine.run` does."""
        if name not in self.spec.options:
            return 0, ""
        environment = environment_of(self.spec)
        return await run(self._arguments(name), environment=environment, errors=self.spec.log)

    def _arguments(self, name: str) -> list[str]:
        found: list[str] = []
        for argument in self.spec.options[name]:
            if argument == COMMAND:
                found += self.spec.command
            else:
                found.append(str(argument).replace(HANDLE, self._handle))
        return found
