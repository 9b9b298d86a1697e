"""The administrator's overview, logs and page, over HTTP. tests/browser/admin.test.js drives the page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.launcher.support import APPS, PYTHON, READY, SLEEP, Running, app, launching
from wslink.launcher import usage

TOKEN = "the-administrators-token"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}

HOLD = f"held = b'x' * 60_000_000; {SLEEP}"
BIG = HOLD.replace(SLEEP, f"{READY}; {SLEEP}")
CHILD = f"import subprocess; subprocess.Popen({[*PYTHON, HOLD]!r}, env={{}}); {READY}; {SLEEP}"
# A child that has neither the mark nor the Unix session: its parent leads to it.
STRAY = CHILD.replace("env={}", "env={}, start_new_session=True")


@asynccontextmanager
async def administrated(directory: Path, **settings: Any) -> AsyncIterator[Running]:
    (directory / "token").write_text(TOKEN)
    async with launching(directory, admin_token_file=str(directory / "token"), **settings) as running:
        yield running


async def overview(running: Running) -> dict[str, Any]:
    status, told = await running.ask("GET", headers=ADMIN)
    assert status == 200
    return told


async def eventually(ask: Callable[[], Awaitable[Any]], accept: Callable[[Any], bool]) -> Any:
    for _ in range(200):
        found = await ask()
        if accept(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"it did not come to be: {found}")


async def test_the_figures(tmp_path: Path) -> None:
    async with administrated(tmp_path) as running:
        session = await running.start("good")
        await running.post("failing")
        told = await overview(running)
        assert (told["free_ports"], told["starts"], told["failures"]) == (3, 2, 1)
        (one,) = told["sessions"]
        assert (one["id"], one["application"], one["state"]) == (session["id"], "good", "ready")
        assert 0 <= one["age"] < 20
        assert (one["clients"], one["client"]) == (0, "")


@pytest.mark.parametrize("program", [BIG, CHILD, STRAY])
async def test_memory_is_that_of_the_whole_process_tree(tmp_path: Path, program: str) -> None:
    apps = {"big": app(program), "small": APPS["good"]}
    async with administrated(tmp_path, apps=apps) as running:
        await running.start("big")
        await running.start("small")

        async def held() -> dict[str, int]:
            return {one["application"]: one["memory"] for one in (await overview(running))["sessions"]}

        found = await eventually(held, lambda now: now["big"] > 60_000_000)
        assert found["big"] < 120_000_000
        assert 1_000_000 < found["small"] < 40_000_000


#: Waits in a queue for ever.
OPTIONS = {"start": ["true"], "poll": ["true"], "stop": ["true"], "waits": ["echo", "a node"]}
FAR = {"cmd": ["x"], "spawner": "command", "options": OPTIONS, "ready_line": "never"}


async def test_memory_is_left_out_where_nobody_knows(tmp_path: Path) -> None:
    async with administrated(tmp_path, apps={"far": FAR}, timeout=60) as running:
        starting = asyncio.create_task(running.post("far"))

        async def only() -> list[dict[str, Any]]:
            return (await overview(running))["sessions"]

        (one,) = await eventually(only, lambda sessions: bool(sessions and sessions[0]["waits"]))
        assert (one["state"], one["waits"], one["memory"]) == ("starting", "a node", None)
        # Who waits for it is answered at once, whatever runs it.
        assert (await running.ask("DELETE", one["id"], headers=ADMIN))[0] == 200
        status, answer = await asyncio.wait_for(starting, 10)
        assert (status, answer["error"]) == (503, "The session was stopped: the administrator asked for it.")


@pytest.mark.parametrize("tables", [usage.LINUX_TABLES, (Path("/does/not/exist"),)])
async def test_clients_are_counted_through_any_proxy(
    tmp_path: Path, tables: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "LINUX_TABLES", tables)  # elsewhere psutil tells
    apps = {"listening": {**APPS["listening"], "ready_line": "it is ready"}}
    async with administrated(tmp_path, apps=apps) as running:
        session = await running.start("listening")

        async def clients() -> int:
            return (await overview(running))["sessions"][0]["clients"]

        writers = [(await asyncio.open_connection("127.0.0.1", session["port"]))[1] for _ in range(2)]
        await eventually(clients, lambda count: count == 2)
        for writer in writers:
            writer.close()


async def test_a_log_has_no_secrets(tmp_path: Path) -> None:
    async with administrated(tmp_path) as running:
        session = await running.start("secret")
        assert session["secret"] in running.log(session)
        async with running.http.get(f"{running.url}/paraview/{session['id']}/log", headers=ADMIN) as response:
            assert (response.status, response.content_type) == (200, "text/plain")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            assert (await response.text()).splitlines() == ['got ["***"]', "it is ready"]
        assert (await running.ask("GET", "unknown/log", headers=ADMIN))[0] == 404


async def test_the_owner_of_a_session_is_no_administrator(tmp_path: Path) -> None:
    async with administrated(tmp_path, get=True) as running:
        session = await running.start("good")
        for headers in ({}, {"Authorization": "Bearer the-administrators-toke"}, {"Cookie": f"token={TOKEN}"}):
            assert (await running.ask("GET", f"{session['id']}/log", headers=headers))[0] == 404
            assert (await running.ask("GET", f"{session['id']}/log?token={TOKEN}", headers=headers))[0] == 404
            assert (await running.ask("GET", headers=headers))[0] == 404


class TestPage:
    @pytest.mark.parametrize("endpoint", ["paraview", "a/b/c"])
    async def test_it_runs_nothing_but_its_own_script(self, tmp_path: Path, endpoint: str) -> None:
        async with administrated(tmp_path, endpoint=endpoint) as running:
            text = await self.fetch(running, "", "html")
            assert (
                re.findall(r"<script(?! type=\"module\" src=\"admin.js\"></script>)|<style| style=| on\w+=", text) == []
            )
            assert "innerHTML" not in await self.fetch(running, "admin.js", "javascript")
            for name in ("admin.css", "base.css"):
                await self.fetch(running, name, "css")

    async def fetch(self, running: Running, name: str, kind: str) -> str:
        async with running.http.get(f"{running.url}{running.endpoint}/admin/{name}") as response:
            assert response.status == 200
            assert response.content_type.endswith(f"/{kind}")
            policy = response.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
            return await response.text()

    async def test_its_address_is_found_without_the_slash(self, tmp_path: Path) -> None:
        async with administrated(tmp_path) as running:
            url = f"{running.url}/paraview/admin"
            async with running.http.get(url, allow_redirects=False) as response:
                # Relative: it holds below any path that a proxy puts before it.
                assert (response.status, response.headers["Location"]) == (302, "admin/")

    async def test_nothing_else_is_served_there(self, tmp_path: Path) -> None:
        async with administrated(tmp_path) as running:
            for name in ("admin.html", "..%2fadmin.py", "../admin.py", "%2e%2e/admin.py", "x"):
                url = aiohttp.client.URL(f"{running.url}/paraview/admin/{name}", encoded=True)
                async with running.http.get(url) as response:
                    assert response.status in (400, 404)

    async def test_there_is_none_without_a_token(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            assert (await running.ask("GET", "admin/"))[0] == 404
            assert (await running.ask("GET", "x/log", headers=ADMIN))[0] == 404


async def test_the_client_is_served(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        async with running.http.get(f"{running.url}/wslink/client.js") as response:
            assert response.status == 200
            assert response.content_type.endswith("/javascript")
            assert "export{" in await response.text()
        async with running.http.get(f"{running.url}/wslink/README.md") as response:
            assert response.status == 404
