"""The blocks of docs/python.md and docs/migration.md."""

from __future__ import annotations

import ast
import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block
from tests.docs.programs import running
from wslink import App

TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


async def test_the_overview_serves(serve: Serve) -> None:
    names: dict[str, Any] = {}
    exec(block("docs/python.md", "python"), names)
    assert isinstance(names["app"], App)
    await serve(names["app"])


async def test_a_call_in_a_thread_is_cancelled(serve: Serve) -> None:
    decimated = list[int]()

    class Part:
        def decimate(self) -> int:
            time.sleep(0.01)
            decimated.append(1)
            return 1

    app = App(secret="secret")
    names = {"app": app, "wslink": wslink, "parts": lambda name: [Part()] * 1000}
    exec(block("docs/python.md", "python", 1), names)
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(link.call("mesh.decimate", "dragon"), 0.1)
        await asyncio.sleep(0.1)
        done = len(decimated)
        await asyncio.sleep(0.1)
    assert 0 < len(decimated) == done < 1000


async def test_the_viewer_turns_on_demand(serve: Serve) -> None:
    names: dict[str, Any] = {}
    exec(block("docs/flow-control.md", "python").replace("App()", 'App(secret="secret")'), names)
    async with wslink.connect(await serve(names["app"]), secret="secret") as link:
        frames = link.subscribe("view.frame")
        assert await anext(frames) == {"size": 1024, "azimuth": 0, "sharp": False}
        assert await anext(frames) == {"size": 1024, "azimuth": 0, "sharp": True}
        await link.call("view.turn", 30.0)
        assert (await anext(frames))["azimuth"] == 30


async def test_who_a_client_is(serve: Serve) -> None:
    names: dict[str, Any] = {}
    exec(block("docs/python.md", "python", 2), names)
    url = await serve(names["app"])
    async with wslink.connect(url, headers={"Cookie": "session=s3cret"}) as link:
        assert names["app"].clients[link.client_id].user == "ada"
    with pytest.raises(wslink.AuthenticationError):
        await wslink.connect(url)


async def test_the_overview_connects(serve: Serve) -> None:
    app = App(secret="secret")
    rows: list[int] = []
    topic = app.topic("a.c")

    @app.method("a.b")
    def method(azimuth: int, altitude: int) -> list[int]:
        return [azimuth, altitude]

    @topic.on_subscribe
    def publish(subscription: Any) -> None:
        rows.extend(row for row in range(8) if subscription.matches({"row": row}))

    url = await serve(app)
    text = block("docs/python.md", "python", 3).replace("ws://localhost:8080/ws", url)
    names: dict[str, Any] = {"secret": "secret"}
    run = eval(compile(text, "docs/python.md", "exec", flags=TOP_LEVEL_AWAIT), names)
    task = asyncio.ensure_future(run)
    while not rows and not task.done():
        await asyncio.sleep(0.01)
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.wait([task])
    assert names["result"] == [315, 30]
    assert rows == [3, 4, 5]


async def test_a_transfer_is_shown(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    app = App(secret="secret")
    app.method("model.load")(lambda data: len(data))
    async with wslink.connect(await serve(app), secret="secret") as link:
        names: dict[str, Any] = {"link": link, "data": bytes(1_000_000), "wslink": wslink}
        run = eval(
            compile(block("docs/python.md", "python", 4), "docs/python.md", "exec", flags=TOP_LEVEL_AWAIT), names
        )
        await run
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("sent ")
    assert said[-1].startswith("received ")


async def test_both_apis_in_one_server(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(block("docs/migration.md", "python").replace("port=8080", "port=0"))
    async with (
        running(tmp_path, "python server.py") as port,
        wslink.connect(f"ws://localhost:{port}/ws", secret="wslink-secret") as link,
    ):
        turned = link.subscribe("view.rotated")
        await turned.ready
        assert await link.call("view.zoom", 2.5) == 2.5
        await link.call("view.rotate", 30)
        assert await anext(turned) == 30


async def test_a_room_of_tenants(serve: Serve) -> None:
    names: dict[str, Any] = {}
    exec(block("docs/python.md", "python", 5).replace("App()", 'App(secret="secret")'), names)
    app: App = names["app"]
    attributes = {"tenant": "one", "name": "Ada"}
    app.authenticate(lambda credentials: wslink.Identity("ada", {**attributes, "role": credentials.secret}))
    url = await serve(app)
    async with wslink.connect(url) as ada, wslink.connect(url) as eve:
        presence, cursors = eve.subscribe("room.presence"), eve.subscribe("room.cursor")
        assert await anext(presence) == {"present": []}
        for link in (ada, eve):
            await link.call("room.enter")
        assert (await anext(presence))["joined"]["name"] == "Ada"
        await cursors.ready
        await ada.call("room.point", 0.5, 0.25)
        assert await anext(cursors) == {"id": ada.client_id, "x": 0.5, "y": 0.25}
        with pytest.raises(wslink.CallError, match="Not authorized"):
            await ada.call("admin.close")
        async with wslink.connect(url, secret="admin") as admin:
            await admin.call("admin.close")
        await asyncio.wait_for(ada.wait_closed(), 5)
        await asyncio.wait_for(eve.wait_closed(), 5)


async def test_an_application_is_tested_without_a_port() -> None:
    app = App()
    tiles = app.topic("demo.tile", delivery="latest")

    @app.method("demo.paint")
    def paint(red: int, green: int = 0) -> int:
        return tiles.publish({"pixels": bytes([red, green, 99, 255]) * 64 * 64}, tags={"row": 0})

    names: dict[str, Any] = {"app": app}
    exec(block("docs/python.md", "python", 6), names)
    await names["test_painting"]()
