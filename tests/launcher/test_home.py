"""The list of applications; tests/browser/home.test.js drives its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from yarl import URL

from tests.launcher.support import APPS, arguments_app, launching

PAGES = ("", "wslink/home.js", "wslink/home.css", "wslink/base.css")
TOKEN = "0123456789abcdef"


async def test_who_may_start_them_is_told_the_applications(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"ada {TOKEN}\n")
    setting = {"type": "bearer", "options": {"token_file": str(tmp_path / "users")}}
    apps = {"good": APPS["good"], "named": arguments_app("${name}", "${port}", "${directory}", "${file}")}
    async with launching(tmp_path, apps=apps, authentication=setting) as running:
        assert (await running.ask("GET", "applications"))[0] == 401
        status, told = await running.ask("GET", "applications", headers={"Authorization": f"Bearer {TOKEN}"})
        assert status == 200
        assert told["applications"] == [{"name": "good", "values": []}, {"name": "named", "values": ["file", "name"]}]


@pytest.mark.parametrize("path", PAGES)
async def test_the_page_runs_its_own_script_alone_and_stands_in_no_frame(tmp_path: Path, path: str) -> None:
    async with launching(tmp_path) as running:
        async with running.http.get(f"{running.url}/{path}", headers={"Accept": "text/html"}) as response:
            assert response.status == 200
            policy = response.headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        # A program that asks for no page is told what this is.
        async with running.http.get(f"{running.url}/", headers={"Accept": "*/*"}) as response:
            assert response.status == 404


async def test_pages_of_ones_own_stand_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("own")
    async with launching(tmp_path, content=str(tmp_path / "www")) as running:
        async with running.http.get(f"{running.url}/") as response:
            assert await response.text() == "own"
        async with running.http.get(f"{running.url}/wslink/home.js") as response:
            assert response.status == 404
        # What a person reads who was refused looks the same without them.
        async with running.http.get(f"{running.url}/paraview/none", headers={"Accept": "text/html"}) as response:
            sheets = re.findall(r'stylesheet" href="([^"]+)"', await response.text())
            assert len(sheets) == 2
            for sheet in sheets:
                async with running.http.get(response.url.join(URL(sheet))) as style:
                    assert (style.status, style.content_type) == (200, "text/css")
