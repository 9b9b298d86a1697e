"""trame's docker launcher configuration as it is, with real trame sessions, through Apache's map, nginx and the
launcher's own proxy.

WSLINK_FIELD_PYTHON names an interpreter that has trame (and a wslink, released or ours).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import wslink
from tests.deployment.servers import WebServer, apache, free_port, missing, nginx, recipe
from tests.launcher.support import processes

PYTHON = os.environ.get("WSLINK_FIELD_PYTHON", "")

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(not PYTHON, reason="WSLINK_FIELD_PYTHON names no interpreter with trame"),
]

#: Apache's, as trame's docker image has it, but for its folders.
APACHE = """
Listen 8080
<VirtualHost *:8080>
  ProxyPass /launcher http://localhost:9000/paraview
  ProxyPass /paraview http://localhost:9000/paraview
  RewriteEngine On
  RewriteMap session-to-port txt:/opt/trame/proxy-mapping.txt
  RewriteCond %{QUERY_STRING} ^sessionId=(.*)&path=(.*)$ [NC]
  RewriteRule ^/proxy.*$  ws://${session-to-port:%1}/%2  [P]
</VirtualHost>
"""
DOCKERS_URL = "ws://USE_HOST/proxy?sessionId=${id}&path=ws"
OWN_URL = "ws://USE_HOST/paraview/session/${id}/${token}/ws"


def configuration(folder: Path, port: int, session_url: str) -> dict[str, Any]:
    """trame's default-launcher.json, with the application that its scripts add and folders of ours."""
    first = free_port()
    flags = ["--host", "${host}", "--port", "${port}", "--authKey", "${secret}", "--server"]
    return {
        "configuration": {
            "host": "0.0.0.0",
            "port": port,
            "endpoint": "paraview",
            "log_dir": str(folder / "logs"),
            "proxy_file": str(folder / "proxy-mapping.txt"),
            "sessionURL": session_url,
            "timeout": 25,
            "sanitize": {},
            "fields": [],
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

    def __init__(self, folder: Path, session_url: str) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "launcher.json").write_text(json.dumps(configuration(folder, self.port, session_url)))

    async def __aenter__(self) -> Docker:
        # trame's own sessions must not find this wslink.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        source = str(Path(wslink.__file__).parents[1])
        program = f"import sys; sys.path.insert(0, {source!r}); from wslink.launcher.cli import main; sys.exit(main())"
        path = str(self.folder / "launcher.json")
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
def opened(tmp_path: Path) -> Path:
    # Apache's workers are another user, who has to get to the proxy file.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(missing("apache2"), reason="Apache is not installed")
@pytest.mark.parametrize("endpoint", ["/paraview", "/launcher"])
async def test_apache(opened: Path, endpoint: str) -> None:
    async with Docker(opened, DOCKERS_URL) as docker:
        blocks = APACHE.replace(":9000", f":{docker.port}").replace("/opt/trame/", f"{opened}/")
        server: WebServer = apache(opened, blocks)
        async with server as host:
            await two_users(host, endpoint)


@pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
async def test_nginx(tmp_path: Path) -> None:
    docker = Docker(tmp_path, OWN_URL)
    async with docker, nginx(tmp_path, recipe("nginx").replace(":9000", f":{docker.port}")) as host:
        await two_users(host)


async def test_the_launchers_own_proxy(tmp_path: Path) -> None:
    async with Docker(tmp_path, OWN_URL) as docker:
        await two_users(f"127.0.0.1:{docker.port}")
