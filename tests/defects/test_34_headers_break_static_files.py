"""Defect 34: WSLINK_HTTP_HEADERS answers 500 for every static file after a settings reload."""

import json

import pytest

from wslink.backends import aiohttp as backend

from ..released.package import defect, since_2
from ..released.serving import Protocol, serving, write_site

pytestmark = since_2


@pytest.fixture
def headers(tmp_path, monkeypatch):
    path = tmp_path / "headers.json"
    path.write_text(json.dumps({"X-One": "1", "Cross-Origin-Opener-Policy": "same-origin"}))
    monkeypatch.setenv("WSLINK_HTTP_HEADERS", str(path))
    return path


@defect(34)
async def test_static_files_have_the_headers(tmp_path, headers):
    site = {"/": str(write_site(tmp_path / "www"))}
    async with serving(Protocol(), static=site) as running, running.get("index.html") as response:
        assert response.status == 200
        assert response.headers["X-One"] == "1"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@defect(34)
async def test_an_application_may_add_to_them(tmp_path, headers):
    backend.reload_settings()
    assert isinstance(backend.HTTP_HEADERS, dict)
