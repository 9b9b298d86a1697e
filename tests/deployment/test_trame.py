"""trame's docker launcher configuration with real trame sessions: as it is, through Apache's map, through nginx with
the same map and through the launcher's own proxy; and with a `sessionURL` of that proxy, with and without nginx.
Programs and pages in Chromium use them.

WSLINK_FIELD_PYTHON names an interpreter that has trame (and a wslink, released or ours).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import wslink
from tests.deployment.servers import NGINX_MODULES, apache, free_port, missing, nginx, recipe
from tests.launcher.support import processes

PYTHON = os.environ.get("WSLINK_FIELD_PYTHON", "")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not PYTHON, reason="WSLINK_FIELD_PYTHON names no interpreter with trame"),
]

#: Apache's, as trame's docker image has it, but for its directories.
APACHE = """
Listen 8080
<VirtualHost *:8080>
  DocumentRoot /deploy/server/www
  <Directory /deploy/server/www>
    Require all granted
  </Directory>
  ProxyPass /launcher http://localhost:9000/paraview
  ProxyPass /paraview http://localhost:9000/paraview
  RewriteEngine On
  RewriteMap session-to-port txt:/opt/trame/proxy-mapping.txt
  RewriteCond %{QUERY_STRING} ^sessionId=(.*)&path=(.*)$ [NC]
  RewriteRule ^/proxy.*$  ws://${session-to-port:%1}/%2  [P]
</VirtualHost>
"""
DOCKERS_URL = "ws://USE_HOST/proxy?sessionId=${id}&path=ws"
#: The path's token opens the session, or the cookie that the answer of the POST sets.
TOKENS_URL = "ws://USE_HOST/paraview/session/${id}/${token}/ws"
COOKIES_URL = "ws://USE_HOST/paraview/session/${id}/ws"


def configuration(directory: Path, port: int, session_url: str, **content: str) -> dict[str, Any]:
    """trame's default-launcher.json, with the application that its scripts add and directories of ours."""
    first = free_port()
    flags = ["--host", "${host}", "--port", "${port}", "--authKey", "${secret}", "--server"]
    return {
        "configuration": {
            "host": "0.0.0.0",
            "port": port,
            "endpoint": "paraview",
            "log_dir": str(directory / "logs"),
            "proxy_file": str(directory / "proxy-mapping.txt"),
            "sessionURL": session_url,
            "timeout": 25,
            "sanitize": {},
            "fields": [],
            **content,
        },
        "resources": [{"host": "0.0.0.0", "port_range": [first, first + 20]}],
        "properties": {},
        "apps": {
            "trame": {
                "cmd": [PYTHON, str(Path(__file__).parent / "trame_app.py"), *flags],
                "ready_line": "App running at",
            }
        },
    }


class Docker:
    """The launcher as in the image."""

    def __init__(self, directory: Path, session_url: str, **content: str) -> None:
        self.directory, self.port = directory, free_port()
        mapping = directory / "proxy-mapping.txt"  # the image makes it for a group that Apache's user is in
        mapping.touch()
        mapping.chmod(0o644)
        (directory / "launcher.json").write_text(
            json.dumps(configuration(directory, self.port, session_url, **content))
        )

    async def __aenter__(self) -> Docker:
        # trame's own sessions must not find this wslink.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        source = str(Path(wslink.__file__).parents[1])
        program = f"import sys; sys.path.insert(0, {source!r}); from wslink.launcher.cli import main; sys.exit(main())"
        path = str(self.directory / "launcher.json")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, path, env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert b"listening" in await asyncio.wait_for(self.process.stdout.readline(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.terminate()
        await self.process.communicate()
        assert processes() == []


async def two_users(host: str, endpoint: str = "/paraview") -> None:
    """Two pages at the same time, each with a session of its own."""
    await asyncio.gather(*(_user(host, endpoint, presses) for presses in (1, 2)))


async def _user(host: str, endpoint: str, presses: int) -> None:
    headers = {"Origin": f"http://{host}", "Content-Type": "text/plain;charset=UTF-8"}
    async with aiohttp.ClientSession() as http:
        body = json.dumps({"application": "trame", "sessionManagerURL": f"http://{host}{endpoint}", "retry": 3})
        async with http.post(f"http://{host}{endpoint}", data=body, headers=headers) as response:
            session = await response.json(content_type=None)
            assert response.status == 200, session
    url = session["sessionURL"].replace("USE_HOST", host)
    async with wslink.connect(url, secret=session["secret"]) as link:
        for _ in range(presses):
            await link.call("trame.trigger", "up", [], {})
        state = await link.call("trame.state.get")
        assert state["state"]["number"] == 41 + presses


@pytest.fixture
def opened() -> Iterator[Path]:
    """A directory that web servers, whose workers are another user, get to."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@asynccontextmanager
async def by_apache(directory: Path) -> AsyncIterator[str]:
    async with Docker(directory, DOCKERS_URL) as docker:
        blocks = APACHE.replace(":9000", f":{docker.port}").replace("/opt/trame/", f"{directory}/")
        async with apache(directory, blocks.replace("/deploy/server/", f"{directory}/")) as host:
            yield host


@asynccontextmanager
async def by_nginx_with_the_map(directory: Path) -> AsyncIterator[str]:
    async with Docker(directory, DOCKERS_URL) as docker:
        (directory / "sessions.js").write_text(recipe("js").replace("/srv/sessions/", f"{directory}/"))
        blocks = recipe("nginx", 1).replace(":9000", f":{docker.port}").replace("viewers", "paraview")
        async with nginx(directory, blocks.replace("/srv/", f"{directory}/"), "http_js") as host:
            yield host


@asynccontextmanager
async def by_nginx(directory: Path) -> AsyncIterator[str]:
    docker = Docker(directory, TOKENS_URL, content=str(directory / "www"))
    async with docker, nginx(directory, recipe("nginx").replace(":9000", f":{docker.port}")) as host:
        yield host


@asynccontextmanager
async def by_itself_as_it_is(directory: Path) -> AsyncIterator[str]:
    async with Docker(directory, DOCKERS_URL, content=str(directory / "www")) as docker:
        yield f"127.0.0.1:{docker.port}"


@asynccontextmanager
async def by_itself(directory: Path) -> AsyncIterator[str]:
    async with Docker(directory, COOKIES_URL, content=str(directory / "www")) as docker:
        yield f"127.0.0.1:{docker.port}"


APACHES = pytest.mark.skipif(missing("apache2"), reason="Apache is not installed")
NGINXS = pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
NJS = pytest.mark.skipif(
    not (NGINX_MODULES / "ngx_http_js_module.so").exists(), reason="libnginx-mod-http-js is not installed"
)
#: trame's client puts the address of a session into small letters.
WAYS = [
    pytest.param(by_apache, r"/proxy\?sessionid=[\w-]{36}&path=ws", id="apache", marks=APACHES),
    pytest.param(by_nginx_with_the_map, r"/proxy\?sessionid=[\w-]{36}&path=ws", id="nginx-map", marks=[NGINXS, NJS]),
    pytest.param(by_nginx, r"/paraview/session/[\w-]{36}/[a-z0-9]{32}/ws", id="nginx", marks=NGINXS),
    pytest.param(by_itself_as_it_is, r"/proxy\?sessionid=[\w-]{36}&path=ws", id="own"),
    pytest.param(by_itself, r"/paraview/session/[\w-]{36}/ws", id="own-cookie"),
]
Way = Callable[[Path], AbstractAsyncContextManager[str]]


@pytest.mark.skipif(missing("chromium") or missing("node"), reason="Chromium is not installed")
@pytest.mark.parametrize(("way", "path"), WAYS)
async def test_pages(opened: Path, way: Way, path: str) -> None:
    """trame's page, with trame's client, in Chromium."""
    await _run(PYTHON, "-m", "trame.tools.www", "--client-type", "vue3", "--output", str(opened / "www"), "www")
    async with way(opened) as host:
        sockets = (await _run("node", str(Path(__file__).parent / "pages.mjs"), f"http://{host}/")).split()
    assert len(set(sockets)) == 2  # each has a session of their own
    for socket in sockets:
        assert re.fullmatch(rf"ws://{host}{path}", socket), socket


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@APACHES
@pytest.mark.parametrize("endpoint", ["/paraview", "/launcher"])
async def test_programs_through_apache(opened: Path, endpoint: str) -> None:
    (opened / "www").mkdir()
    async with by_apache(opened) as host:
        await two_users(host, endpoint)


@NGINXS
async def test_programs_through_nginx(opened: Path) -> None:
    (opened / "www").mkdir()
    async with by_nginx(opened) as host:
        await two_users(host)
