"""What the inspector serves, to whom, and that it costs nothing where it is off."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
import pytest
from yarl import URL

import wslink
from tests.conftest import Open, Serve
from wslink import App, Credentials, Identity, MethodError, UsageError
from wslink.observe import summary

SECRET = "s3cret-ü"
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Mesh:
    name: str
    points: np.ndarray


def app(**options: Any) -> App:
    app = App(secret=SECRET, **options)
    tiles = app.topic("terrain.tile", delivery="latest")

    @app.method("demo.add")
    def add(a: int, b: int = 1, /, *more: int) -> int:
        """Add numbers."""
        return a + b + sum(more)

    @app.method("demo.slow")
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "late"

    @app.method("demo.block", run="thread")
    def block() -> None:
        time.sleep(0.05)

    @app.method("demo.fail")
    def fail() -> None:
        raise MethodError("no", code=-5, data={"why": HOSTILE})

    @app.method("demo.show")
    def show(count: int = 1, size: int = 1000) -> int:
        return sum(tiles.publish(b"x" * size, {"row": row, "name": HOSTILE}) for row in range(count))

    @app.method("demo.mixed")
    def mixed() -> Any:
        return {"bytes": b"1234", "text": HOSTILE, 5: [1.5, None], "mesh": Mesh("<b>", np.zeros((2, 3), "f4"))}

    return app


class Page:
    """Asks what the page asks."""

    def __init__(self, url: str, session: aiohttp.ClientSession, secret: str | None = SECRET) -> None:
        self.base = URL(url.replace("ws://", "http://").removesuffix("/ws") + "/wslink/inspect/")
        self.session = session
        self.headers = {} if secret is None else {"Authorization": b"Bearer " + secret.encode()}

    async def ask(self, path: str, json: Any = None, **headers: str) -> Any:
        method = "GET" if json is None else "POST"
        sent = {**{name: os.fsdecode(value) for name, value in self.headers.items()}, **headers}
        async with self.session.request(method, self.base.join(URL(path)), json=json, headers=sent) as response:
            return await response.json() if response.status == 200 else response.status

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return await self.ask("call", {"method": method, "args": args, "kwargs": kwargs})


@pytest.fixture
async def session() -> Any:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_shows_clients_with_their_subscriptions_and_filters(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    url = await serve(app(), inspector=True)
    page = Page(url, session)
    async with wslink.connect(url, secret=SECRET) as link:
        tiles = link.subscribe("terrain.tile", filter={"row": {"gte": 0}})
        await tiles.ready
        await link.call("demo.show", 2)
        await anext(tiles)
        await anext(tiles)
        waiting = asyncio.ensure_future(anext(tiles))  # whoever asks for the next has dealt with it
        await asyncio.sleep(0.2)
        found = await page.ask("overview")
        waiting.cancel()
        (client,) = found["clients"]
        assert client["id"] == link.client_id
        assert (client["address"], client["user"], client["state"]) == ("127.0.0.1", "", "open")
        assert client["rtt"] > 0
        assert client["window"] > 0
        assert client["lag"] > 0
        assert (client["waiting"], client["dropped"], client["subscriptions"]) == (0, 0, 1)
        (subscription,) = found["subscriptions"]
        assert (subscription["client"], subscription["topic"]) == (link.client_id, "terrain.tile")
        assert subscription["filter"] == '{"row": {"gte": 0}}'
        assert subscription["lag"] > 0
        assert subscription["window"] >= 1
        assert {one["name"]: one["publications"] for one in found["topics"]} == {"terrain.tile": 2}
        assert found["all"]["clients"] == found["all"]["subscriptions"] == 1
    await asyncio.sleep(0.1)
    assert (await page.ask("overview"))["all"]["clients"] == 0


async def test_it_logs_messages_with_their_sizes_and_calls_with_their_times(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    url = await serve(app(), inspector=True)
    page = Page(url, session)
    async with wslink.connect(url, secret=SECRET) as link:
        tiles = link.subscribe("terrain.tile")
        await tiles.ready
        begun = await page.ask("log")
        await link.call("demo.show")
        await link.call("demo.block")
        for wrong in ("demo.fail", "demo.none"):
            with pytest.raises(wslink.CallError):
                await link.call(wrong)
        await link.call("demo.add", 1, 2)
        slow = asyncio.ensure_future(link.call("demo.slow", 0.3))
        await asyncio.sleep(0.1)
        running = (await page.ask("overview"))["running"]
        await slow
        log = await page.ask(f"log?since={begun['end']}")
    entries = log["entries"]
    assert not (await page.ask(f"log?since={log['end'] + 2}"))["left_out"]
    done = {one["name"]: one for one in entries if one["kind"] == "done"}
    assert done["demo.block"]["run"] >= 0.05
    assert done["demo.slow"]["run"] >= 0.3
    assert (done["demo.fail"]["text"], done["demo.none"]["text"], done["demo.add"]["text"]) == ("-5", "-32601", "OK")
    assert done["demo.block"]["wait"] > 0
    assert "wait" not in done["demo.add"], "it began as soon as it had come"
    (publication,) = [one for one in entries if one["kind"] == "publication"]
    assert publication["name"] == "terrain.tile"
    assert publication["client"] == link.client_id
    assert 1000 < publication["size"] < 1200
    assert HOSTILE in publication["text"]
    called = {one["name"]: one for one in entries if one["kind"] == "call"}
    assert called["demo.add"]["text"] == "1, 2"
    assert called["demo.add"]["size"] > 0
    (one,) = running
    assert (one["method"], one["client"]) == ("demo.slow", link.client_id)
    assert one["run"] > 0.05
    assert SECRET not in str(begun), "a hello's secret is in the log"


async def test_only_the_secret_opens_it_whoever_the_application_lets_in(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    application = app()

    @application.authenticate
    def authenticate(credentials: Credentials) -> Identity | None:
        return Identity("ada") if credentials.secret == "adas" else None

    url = await serve(application, inspector=True)
    for secret in (None, "adas", "", SECRET[:-1], SECRET + "x", "\udcff"):
        page = Page(url, session, None if secret is None or "\udcff" in secret else secret)
        more = {"Authorization": "Bearer \udcff"} if secret == "\udcff" else {}
        for path in ("overview", "log", "log?since=0", "contract"):
            assert await page.ask(path, **more) == 401, (secret, path)
        assert await page.ask("call", {"method": "demo.add", "args": [1, 2]}, **more) == 401
        assert await page.ask(f"overview?secret={SECRET}", **more) == 401
    page = Page(url, session)
    assert (await page.ask("overview"))["all"]["clients"] == 0
    async with wslink.connect(url, secret="adas"):
        (client,) = (await page.ask("overview"))["clients"]
    assert client["user"] == "ada"


async def test_whoever_guesses_has_to_wait(serve: Serve, session: aiohttp.ClientSession) -> None:
    page = Page(await serve(app(), inspector=True), session, "wrong")
    began = time.monotonic()
    for _ in range(15):
        assert await page.ask("overview") == 401
    assert time.monotonic() - began > 0.35


async def test_what_it_gives_and_keeps_is_bounded(serve: Serve, session: aiohttp.ClientSession, peers: Open) -> None:
    from wslink.observe import inspector

    url = await serve(app(), inspector=True)
    page = Page(url, session)
    peer = await peers(url, hello={"secret": SECRET})
    begun = await page.ask("log")
    for _ in range(inspector.MAX_GIVEN):
        await peer.call("x" * 4000, ["y" * 10_000] * 4)
    log = await page.ask(f"log?since={begun['end']}")
    assert len(log["entries"]) == inspector.MAX_GIVEN
    assert log["left_out"] == inspector.MAX_GIVEN
    assert log["end"] - begun["end"] == 2 * inspector.MAX_GIVEN
    assert max(len(one["name"]) for one in log["entries"]) <= inspector.MAX_NAME
    assert max(len(one.get("text", "")) for one in log["entries"]) <= inspector.MAX_FILTER
    overview = await page.ask("overview")
    assert overview["all"]["running"] == 0
    assert [one["name"] for one in overview["topics"]] == ["terrain.tile"]


async def test_the_form_calls_any_method_as_one_whom_the_secret_let_in(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    application = app()
    page = Page(await serve(application, inspector=True), session)
    described = await page.ask("contract")
    assert described["methods"]["demo.add"]["description"] == "Add numbers."
    assert await page.call("demo.add", 1, 2, 3) == {"result": "6"}
    assert await page.call("demo.block") == {"result": "null"}
    assert (await page.call("demo.slow", seconds=0.05))["result"] == '"late"'
    mixed = (await page.call("demo.mixed"))["result"]
    assert "<4 bytes>" in mixed
    assert "<array <f4 [2, 3], 24 bytes>" in mixed
    assert HOSTILE in mixed
    failed = await page.call("demo.fail")
    assert (failed["error"]["code"], failed["error"]["message"]) == (-5, "no")
    assert (await page.call("demo.add", "one"))["error"]["code"] == -32602
    assert (await page.call("demo.none"))["error"]["code"] == -32601
    assert (await page.ask("call", {"nothing": 1}))["error"]["code"] == -32602
    assert (await page.ask("call", []))["error"]["code"] == -32602

    application.authorize(lambda client, action, name, filter=None: client.user == "ada")
    assert "result" not in await page.call("demo.add", 1, 2)


async def test_there_is_none_unless_it_is_asked_for(serve: Serve, session: aiohttp.ClientSession) -> None:
    page = Page(await serve(app()), session)
    for path in ("", "../inspect", "overview", "log", "inspector.js"):
        assert await page.ask(path) == 404, path
    assert await page.call("demo.add", 1) in (404, 405)
    code = (
        "import asyncio, sys, wslink\n"
        "async def main():\n"
        "    server = await wslink.App().serve(port=0, ready_msg='', handle_signals=False)\n"
        "    await server.stop()\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if 'inspect' in name and name.startswith('wslink')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


async def test_its_page_runs_nothing_but_its_own_script(serve: Serve, session: aiohttp.ClientSession) -> None:
    page = Page(await serve(app(), inspector=True), session, None)
    async with session.get(page.base) as response:
        assert response.url == page.base.parent
        text = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\son\w+=|style=|<style|<script(?![^>]*\bsrc=)", text)
    for name in re.findall(r'(?:href|src)="(inspect/[^"]+)"', text):
        async with session.get(response.url.join(URL(name))) as file:
            assert file.status == 200
            assert file.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_server_that_dials_a_relay_has_none(serve: Serve) -> None:
    with pytest.raises(UsageError, match="relay"):
        await serve(app(), inspector=True, reverse_url="ws://127.0.0.1:1/x")


async def test_methods_on_the_thread_of_the_application_are_timed_and_called(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    url = await serve(app(), inspector=True, application_thread=True)
    page = Page(url, session)
    assert await page.call("demo.add", 1, 2) == {"result": "3"}
    async with wslink.connect(url, secret=SECRET) as link:
        await link.call("demo.add", 1, 2)
        log = await page.ask("log")
    assert [one["name"] for one in log["entries"] if one["kind"] == "done"] == ["demo.add", "demo.add"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 1000, '"xxx'),
        (b"x" * 5000, "<5000 bytes>"),
        (np.zeros((3, 2)), "<array <f8 [3, 2], 48 bytes>"),
        (list(range(100_000)), "[0, 1, 2, 3, …]"),
        ({str(number): number for number in range(100_000)}, "{0: 0, 1: 1, 2: 2, 3: 3, …}"),
        ([[[[[[1]]]]]], "[[[[1 items]]]]"),
        (2**130, "<integer of 131 bits>"),
        (float("nan"), "NaN"),
        ("\ud800", '"\\ud800"'),
        (object(), "<object>"),
    ],
)
def test_a_value_is_shown_in_a_short_line(value: Any, shown: str) -> None:
    began = time.perf_counter()
    text, size = summary.line(value), summary.weight(value)
    assert time.perf_counter() - began < 0.02
    assert text.startswith(shown)
    assert len(text) <= summary.MAX_TEXT
    text.encode()
    assert size >= 1
