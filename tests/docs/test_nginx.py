"""The block of docs/security.md in a real nginx, on a port that is not HTTP's, and below a path."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.conftest import Serve
from tests.deployment.servers import WebServer, missing, nginx
from tests.docs.blocks import ROOT, block
from wslink import App

pytestmark = pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
PAGE = (ROOT / "docs" / "security.md").read_text


def configured(directory: Path, url: str, text: str) -> WebServer:
    return nginx(directory, f"server {{ listen 8080;\n{text.replace('127.0.0.1:8080', url.split('/')[2])}\n}}")


async def opens(host: str, path: str) -> None:
    """What a page of that host does: load the client, connect with its Origin and call."""
    page = f"http://{host}"
    async with aiohttp.ClientSession() as http, http.get(f"{page}{path}wslink/client.js") as client:
        assert client.status == 200
    async with wslink.connect(f"ws://{host}{path}ws", secret="secret", headers={"Origin": page}) as link:
        assert await link.call("viewer.add", 1, 2) == 3


@pytest.fixture
def app() -> App:
    app = App(secret="secret")
    app.method("viewer.add")(lambda one, two: one + two)
    return app


async def test_pages_and_links_pass(tmp_path: Path, app: App, serve: Serve) -> None:
    async with configured(tmp_path, await serve(app), block("docs/security.md", "nginx")) as host:
        await opens(host, "/")
        with pytest.raises(wslink.ConnectionClosed):
            await wslink.connect(f"ws://{host}/ws", secret="secret", headers={"Origin": "http://evil.example"})


async def test_below_a_path_as_the_text_says(tmp_path: Path, app: App, serve: Serve) -> None:
    text = PAGE()
    assert "`location /viewer/`" in text
    assert "`http://127.0.0.1:8080/`" in text
    blocks = block("docs/security.md", "nginx").replace("location / ", "location /viewer/ ")
    blocks = blocks.replace("http://127.0.0.1:8080;", "http://127.0.0.1:8080/;")
    async with configured(tmp_path, await serve(app), blocks) as host:
        await opens(host, "/viewer/")
