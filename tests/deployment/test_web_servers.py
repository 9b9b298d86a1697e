"""The recipes of docs/deployment.md, with the real web servers and real sessions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import wslink
from tests.deployment.servers import WebServer, apache, free_port, missing, nginx, recipe
from wslink.launcher.source import tomllib

pytestmark = pytest.mark.timeout(60)


class Workstation:
    """The first chapter: a launcher in a folder of its own."""

    def __init__(self, folder: Path, session_url: str = "") -> None:
        self.folder, self.port = folder, free_port()
        first = free_port()
        text = recipe("toml").replace("port = 9000", f"port = {self.port}")
        text = text.replace("[9001, 9100]", f"[{first}, {first + 3}]").replace(
            '["wslink"', f'["{sys.executable}", "-m", "wslink"'
        )
        if session_url:
            text = text.replace(tomllib.loads(text)["configuration"]["sessionURL"], session_url)
        (folder / "launcher.toml").write_text(text)
        (folder / "viewer.py").write_text(recipe("python"))
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_text("the page")

    async def __aenter__(self) -> Workstation:
        check = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wslink", "launch", "--check", "launcher.toml", cwd=self.folder
        )
        assert await check.wait() == 0
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wslink", "launch", "launcher.toml", cwd=self.folder, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert b"listening" in await asyncio.wait_for(self.process.stdout.readline(), 10)
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        self.process.terminate()
        await self.process.communicate()

    async def session(self, host: str, prefix: str = "") -> dict[str, Any]:
        """What a page of that host is answered."""
        headers = {"Origin": f"http://{host}", "Content-Type": "text/plain"}
        url = f"http://{host}{prefix}/viewers/"
        async with self.http.post(url, data='{"application": "viewer"}', headers=headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def works(self, host: str, prefix: str = "") -> dict[str, Any]:
        """Start a session through that host and use it."""
        session = await self.session(host, prefix)
        url = session["sessionURL"].replace("USE_HOST", host)
        async with wslink.connect(url, secret=session["secret"]) as link:
            assert await link.call("viewer.add", 1, 2) == 3
        return session


@pytest.fixture
async def workstation(tmp_path: Path) -> AsyncIterator[Workstation]:
    async with Workstation(tmp_path) as one:
        yield one


async def test_one_workstation(workstation: Workstation) -> None:
    host = f"localhost:{workstation.port}"
    async with workstation.http.get(f"http://{host}/") as response:
        assert await response.text() == "the page"
    await workstation.works(host)


@pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
class TestNginx:
    async def test_the_recipe(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("nginx")) as host:
            await workstation.works(host)
            async with workstation.http.get(f"http://{host}/index.html") as response:
                assert await response.text() == "the page"

    async def test_below_a_path(self, tmp_path: Path) -> None:
        url = "ws://USE_HOST/lab/viewers/session/${id}/${token}/ws"
        async with Workstation(tmp_path, url) as workstation:
            blocks = recipe("nginx").replace("location / {", "location /lab/ {")
            async with self.server(workstation, blocks.replace(":9000;", ":9000/;")) as host:
                await workstation.works(host, "/lab")

    async def test_a_foreign_page_stays_outside(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("nginx")) as host:
            await _is_refused(workstation, host)

    def server(self, workstation: Workstation, blocks: str) -> WebServer:
        return nginx(workstation.folder, blocks.replace(":9000", f":{workstation.port}"))


@pytest.mark.skipif(missing("apache2"), reason="Apache is not installed")
class TestApache:
    async def test_through_the_launcher(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("apache")) as host:
            await workstation.works(host)

    async def test_by_a_map(self, tmp_path: Path) -> None:
        # Apache's workers are another user, who has to get to the proxy file.
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        workstation = Workstation(tmp_path, "ws://USE_HOST/proxy?sessionId=${id}&path=ws")
        async with workstation, self.server(workstation, recipe("apache", 1)) as host:
            sessions = [await workstation.works(host) for _ in range(2)]
            wrong = f"ws://{host}/proxy?sessionId={sessions[0]['id'][:-1]}x&path=ws"
            with pytest.raises(wslink.ConnectionClosed):
                await wslink.connect(wrong, secret=sessions[0]["secret"])

    async def test_a_foreign_page_stays_outside(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("apache")) as host:
            await _is_refused(workstation, host)

    def server(self, workstation: Workstation, blocks: str) -> WebServer:
        blocks = blocks.replace(":9000", f":{workstation.port}")
        return apache(workstation.folder, blocks.replace("/srv/", f"{workstation.folder}/"))


async def _is_refused(workstation: Workstation, host: str) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    url = f"http://{host}/viewers/"
    async with workstation.http.post(url, data='{"application": "viewer"}', headers=headers) as response:
        assert response.status == 403
    session = await workstation.session(host)
    url = session["sessionURL"].replace("ws://USE_HOST", f"http://{host}")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await workstation.http.ws_connect(url, headers={"Origin": "https://evil.example"})
    assert refused.value.status == 403
