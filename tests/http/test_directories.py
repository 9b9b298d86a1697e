"""Directories of static files are served alike by an App, a launcher and a relay."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from tests.launcher.support import launching
from wslink import App
from wslink.http.site import Site
from wslink.relay.options import Options
from wslink.relay.service import Relay


@pytest.fixture
def www(tmp_path: Path) -> Path:
    for name in ("", "sub", "with space"):
        (tmp_path / "www" / name).mkdir(exist_ok=True)
        (tmp_path / "www" / name / "index.html").write_text(f"page of {name or 'all'}")
    (tmp_path / "www" / "empty").mkdir()
    return tmp_path / "www"


@contextlib.asynccontextmanager
async def serving(kind: str, www: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of what serves the directory."""
    if kind == "launcher":
        async with launching(tmp_path, content=str(www)) as running:
            yield running.url
    elif kind == "app":
        async with await App().serve(
            host="127.0.0.1", port=0, content=str(www), handle_signals=False, ready_msg=""
        ) as server:
            yield f"http://127.0.0.1:{server.port}"
    else:
        site = Site(Relay(Options(www=str(www))).application(), "127.0.0.1", 0, None)
        yield f"http://127.0.0.1:{await site.start()}"
        await site.stop()


@pytest.mark.parametrize("kind", ["app", "launcher", "relay"])
async def test_a_directory_is_its_page(kind: str, www: Path, tmp_path: Path) -> None:
    async with serving(kind, www, tmp_path) as url, aiohttp.ClientSession() as http:
        for path, page in (("/", "all"), ("/sub/", "sub"), ("/with%20space/", "with space")):
            async with http.get(f"{url}{path}") as response:
                assert (response.status, await response.text()) == (200, f"page of {page}")
        for path in ("/sub", "/sub?x=a%26b", "/with%20space"):
            async with http.get(f"{url}{path}", allow_redirects=False) as response:
                assert response.status == 301
                plain, mark, query = path.partition("?")
                assert urljoin(f"{url}{path}", response.headers["Location"]) == f"{url}{plain}/{mark}{query}"
        for path in ("/empty", "/empty/", "/nowhere"):
            async with http.get(f"{url}{path}") as response:
                assert response.status == 404, path
        async with http.head(f"{url}/sub/") as response:
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
