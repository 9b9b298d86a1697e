"""The files and commands of docs/deployment.md, as a reader has them: in a directory, by a shell."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import aiohttp

import wslink
from tests.deployment.servers import free_port, recipe


def environment() -> dict[str, str]:
    """Where `wslink` is the one of the tests."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


class Service:
    """The last of some commands, which the others prepare: it listens until the block ends."""

    def __init__(self, directory: Path, commands: str) -> None:
        self.directory = directory
        *self._before, self._last = commands.strip().splitlines()

    async def __aenter__(self) -> None:
        for command in self._before:
            process = await self._run(command)
            assert await asyncio.wait_for(process.wait(), 20) == 0, command
        self.process = await self._run(f"exec {self._last}", stdout=asyncio.subprocess.PIPE)
        assert self.process.stdout is not None
        assert b"listening" in await asyncio.wait_for(self.process.stdout.readline(), 20)

    async def __aexit__(self, *_: object) -> None:
        self.process.terminate()
        await asyncio.wait_for(self.process.communicate(), 60)

    async def _run(self, command: str, **options: Any) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=self.directory, env=environment(), **options
        )


class Workstation:
    """A chapter's launcher in a directory of its own.

    Args:
        directory: where to put it.
        session_url: in place of the chapter's.
        number: which of the document's configurations.
        commands: which of its blocks of commands.
        changes: what stands in the configuration, and what is to stand there.
    """

    def __init__(
        self,
        directory: Path,
        session_url: str = "",
        *,
        number: int = 0,
        commands: int = 0,
        changes: dict[str, str] | None = None,
    ) -> None:
        self.directory, self.port = directory, free_port()
        first = free_port()
        own = "ws://USE_HOST/viewers/session/${id}/${token}/ws"
        text = recipe("toml", number)
        ports = {"port = 9000": f"port = {self.port}", "[9001, 9100]": f"[{first}, {first + 3}]"}
        for old, new in {**ports, **({own: session_url} if session_url else {}), **(changes or {})}.items():
            assert old in text
            text = text.replace(old, new)
        lines = recipe("bash", commands)
        (directory / lines.split()[-1]).write_text(text)
        (directory / "viewer.py").write_text(recipe("python"))
        self.tls: ssl.SSLContext | bool = True
        self.scheme = "http"
        self._service = Service(directory, lines)

    async def __aenter__(self) -> Workstation:
        await self._service.__aenter__()
        (self.directory / "www" / "index.html").write_text("the page")
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self._service.__aexit__()

    async def session(self, host: str, prefix: str = "") -> dict[str, Any]:
        """What a page of that host is answered."""
        page = f"{self.scheme}://{host}"
        headers = {"Origin": page, "Content-Type": "text/plain"}
        body, url = '{"application": "viewer"}', f"{page}{prefix}/viewers/"
        async with self.http.post(url, data=body, headers=headers, ssl=self.tls) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def works(self, host: str, prefix: str = "") -> dict[str, Any]:
        """Start a session through that host and use it."""
        session = await self.session(host, prefix)
        await self.uses(session, host)
        return session

    async def uses(self, session: dict[str, Any], host: str) -> None:
        """Use a session through that host."""
        url = session["sessionURL"].replace("USE_HOST", host)
        async with wslink.connect(url, secret=session["secret"], ssl=self.tls) as link:
            assert await link.call("viewer.add", 1, 2) == 3
