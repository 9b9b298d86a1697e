"""The JavaScript client of a history, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from tests.history.client import MAX_WAITING
from tests.history.server import KEYS, LARGE, LARGE_AT, LARGE_EVERY, SIZES, TOPICS

NODE = shutil.which("node")
CLIENT = Path(__file__).with_name("client.mjs")
BUILT = Path(__file__).parents[2] / "js" / "dist" / "index.js"


def missing() -> bool:
    """Whether there is no Node, or the client is not built."""
    return NODE is None or not BUILT.exists()


class JavaScriptSpeaker:
    """As client.Speaker."""

    def __init__(self, name: str, url: str, seed: int, pace: float) -> None:
        self.name = name
        self._given = {
            "name": name, "url": url, "seed": seed, "pace": pace, "topics": TOPICS, "keys": KEYS, "sizes": SIZES,
            "large": LARGE, "largeEvery": LARGE_EVERY, "largeAt": LARGE_AT, "maxWaiting": MAX_WAITING,
        }  # fmt: skip
        self._process: asyncio.subprocess.Process
        self._stopped = asyncio.Event()
        self._log: asyncio.Future[dict[str, Any]]

    async def begin(self) -> None:
        pipe = asyncio.subprocess.PIPE
        arguments = (str(NODE), str(CLIENT), json.dumps(self._given))
        self._process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, limit=2**26)
        self._log = asyncio.get_running_loop().create_future()
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"speaking\n"
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    def returned(self) -> bool:
        return True

    async def _read(self, lines: asyncio.StreamReader) -> None:
        try:
            async for line in lines:
                if line == b"stopped\n":
                    self._stopped.set()
                elif line.startswith(b"{"):
                    self._log.set_result(json.loads(line))
        finally:
            self._stopped.set()
            if not self._log.done():
                self._log.set_exception(RuntimeError("the JavaScript client has ended"))

    async def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def stop(self) -> None:
        await self._say("stop")
        await self._stopped.wait()

    async def end(self, published: list[int], newest: list[int]) -> dict[str, Any]:
        await self._say(json.dumps({"published": published, "newest": newest}))
        log = await self._log
        await self._process.wait()
        return log
