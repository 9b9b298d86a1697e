"""In debug mode, a server names the line that blocks its event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block
from wslink import App
from wslink.hub import loop_watch


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_watch, "PATIENCE", 0.15)
    monkeypatch.setattr(loop_watch, "PAUSE", 0.02)


def watches() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "wslink-loop-watch"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "event loop" in one.getMessage()]


@pytest.mark.parametrize("settings", [{}, {"application_thread": True}])
async def test_the_line_that_blocks_the_event_loop_is_named(
    serve: Serve, caplog: pytest.LogCaptureFixture, settings: dict[str, bool]
) -> None:
    app = App(secret="secret")

    @app.method("mesh.refine", run="loop")
    def refine() -> None:
        threading.Event().wait(0.6)  # a function of a library, which waits in another one

    url = await serve(app, debug=True, **settings)
    async with wslink.connect(url, secret="secret") as link:
        await link.call("mesh.refine")
        await asyncio.sleep(0.1)
    warning, after = warnings(caplog)
    line = refine.__code__.co_firstlineno + 2
    assert f"{__file__}, line {line}, in refine: threading.Event().wait(0.6)" in warning
    assert after.startswith("the event loop was blocked for 0.")
    _, advice = warning.split("another one")
    assert block("docs/threads.md", "text").strip().endswith(advice)


async def test_an_event_loop_that_goes_round_is_not_named(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    app = App(secret="secret")

    @app.method("mesh.refine", thread=True)
    def refine() -> None:
        time.sleep(0.5)

    await serve(app, debug=True)
    async with app.connect() as link:
        await link.call("mesh.refine")
    assert warnings(caplog) == []


async def test_there_is_no_watch_without_debug_mode_and_none_after_the_server(serve: Serve) -> None:
    before = watches()
    app = App(secret="secret")
    server = await app.serve(port=0, ready_msg="", handle_signals=False)
    assert watches() == before
    await server.stop()
    server = await app.serve(port=0, ready_msg="", handle_signals=False, debug=True)
    assert len(watches()) == len(before) + 1
    await server.stop()
    for _ in range(100):
        if watches() == before:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the watch outlives its server")


def test_an_event_loop_that_is_closed_ends_its_watch() -> None:
    before = watches()
    loop = asyncio.new_event_loop()
    loop_watch.LoopWatch(loop, threading.get_ident())
    loop.close()
    deadline = time.monotonic() + 5
    while watches() != before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
