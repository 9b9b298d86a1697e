"""Who left a session finds it again, and comes back to it: by any launcher, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Server
from tests.launcher.support import Running, app, launching
from tests.launcher.test_authentication import bearer
from tests.ports import free_port

ADA, BOB, ADMIN = bearer("0123456789abcdef"), bearer("fedcba9876543210"), bearer("the administrator")
PAGE = app(
    "import http.server as h, sys; s = h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler); "
    "print('it is ready', flush=True); s.serve_forever()",
    "${port}",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server("redis", tmp_path_factory.mktemp("redis"))
    yield started
    started.stop()


def users(directory: Path) -> dict[str, Any]:
    directory.mkdir(exist_ok=True)
    (directory / "tokens").write_text("ada 0123456789abcdef\nbob fedcba9876543210\n")
    (directory / "admin").write_text("the administrator".replace(" ", "-"))
    options = {"token_file": str(directory / "tokens")}
    return {
        "authentication": {"type": "bearer", "options": options},
        "admin_token_file": str(directory / "admin"),
        "apps": {"page": PAGE},
    }


async def listed(running: Running, headers: dict[str, str]) -> list[str]:
    status, answer = await running.ask("GET", headers=headers)
    assert status == 200
    return [one["id"] for one in answer["sessions"]]


@pytest.mark.parametrize("launchers", [1, 2])
async def test_an_owner_comes_back(tmp_path: Path, server: Server, launchers: int) -> None:
    async with AsyncExitStack() as stack:
        running = []
        for number in range(launchers):
            port = free_port()
            shared = {"state": f"redis://127.0.0.1:{server.port}", "launcher": f"l{number}"} if launchers > 1 else {}
            settings = {**users(tmp_path), **shared, "launcher_url": f"http://127.0.0.1:{port}", "timeout": 15}
            running.append(await stack.enter_async_context(launching(tmp_path / str(number), port=port, **settings)))
        first, last = running[0], running[-1]
        assert await listed(last, ADA) == []
        started = [(await each.post("page", ADA))[1] for each in (first, last)]
        assert await listed(last, ADA) == [one["id"] for one in started]
        _, told = await last.ask("GET", headers=ADA)
        assert set(told["sessions"][0]) == {"id", "application", "created", "age"}
        assert await listed(last, BOB) == []
        assert (await last.ask("GET"))[0] == 404

        session = started[0]
        for wrong, expected in ((BOB, 404), ({}, 401), (bearer("0123456789abcdex"), 401)):
            assert (await last.ask("POST", f"{session['id']}/attach", headers=wrong))[0] == expected
        place = f"{last.url}{last.endpoint}/{session['id']}/attach"
        async with last.http.post(place, headers=ADA) as response:
            assert response.status == 200
            assert await response.json() == session
            cookie = response.cookies["wslink-session"]
        # The browser that came back has the session without the token in its address.
        assert cookie["path"] == f"/paraview/session/{session['id']}/"
        page = f"{last.url}/paraview/session/{session['id']}/"
        async with last.http.get(page, headers={"Cookie": f"wslink-session={cookie.value}"}) as response:
            assert response.status == 200

        assert (await last.ask("DELETE", session["id"], headers=ADA))[0] == 200
        assert await listed(first, ADA) == [started[1]["id"]]


async def test_the_administrator_still_sees_all(tmp_path: Path) -> None:
    async with launching(tmp_path, **users(tmp_path)) as running:
        _, session = await running.post("page", ADA)
        status, told = await running.ask("GET", headers=bearer("the-administrator"))
        assert status == 200
        assert [(one["id"], one["client"]) for one in told["sessions"]] == [(session["id"], "ada")]


async def test_nothing_is_listed_where_get_is_off_or_nobody_is_known(tmp_path: Path) -> None:
    async with launching(tmp_path / "a", get=False, **users(tmp_path)) as running:
        _, session = await running.post("page", ADA)
        assert (await running.ask("GET", headers=ADA))[0] == 404
        assert (await running.ask("POST", f"{session['id']}/attach", headers=ADA))[0] == 404
    async with launching(tmp_path / "b") as running:
        session = await running.start("good")
        assert (await running.ask("GET"))[0] == 404
        # Its id opens it, as for GET.
        assert await running.ask("POST", f"{session['id']}/attach") == (200, session)
