"""Programs of the docs, run as a reader runs them: by their command, in a directory, with ports of their own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SECRET = "a secret of the docs"
READY = re.compile(r"serving on \S+:(\d+)|listening on \S+:(\d+)|http://\S+?:(\d+)")


def environment(**more: str) -> dict[str, str]:
    """Where `wslink` and `python` are those of the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **more}


@asynccontextmanager
async def running(directory: Path, command: str, **variables: str) -> AsyncIterator[int]:
    """A service until the block ends; the port that it says to serve on."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f"exec {command}", cwd=directory, env=environment(**variables),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield await asyncio.wait_for(_port(process), 60)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 20)


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    said = ""
    async for line in process.stdout:
        said += line.decode()
        if found := READY.search(line.decode()):
            return int(next(filter(None, found.groups())))
    raise AssertionError(f"it ended: {said}")


async def done(directory: Path, *command: str, **variables: str) -> str:
    """What a command prints that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=environment(**variables),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output.decode()
    return output.decode()
