"""In debug mode, a server names the line that blocks its event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator

import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block
from tests.waiting import until
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


class Named(logging.Handler):
    """Notices the warning that names a function. On a busy machine there may be others."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._function, self.said = name, threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if f"in {self._function}:" in record.getMessage():
            self.said.set()


@pytest.fixture
def named() -> Iterator[threading.Event]:
    handler = Named("refine")
    logging.getLogger("wslink").addHandler(handler)
    yield handler.said
    logging.getLogger("wslink").removeHandler(handler)


@pytest.mark.parametrize("settings", [{}, {"application_thread": True}])
async def test_the_line_that_blocks_the_event_loop_is_named(
    serve: Serve, caplog: pytest.LogCaptureFixture, named: threading.Event, settings: dict[str, bool]
) -> None:
    app = App(secret="secret")

    @app.method("mesh.refine", run="loop")
    def refine() -> None:
        named.wait(20)  # a function of a library, which waits in another one
        time.sleep(0.35)

    url = await serve(app, debug=True, **settings)
    async with wslink.connect(url, secret="secret", timeout=20) as link:
        await link.call("mesh.refine")
    (warning,) = [one for one in warnings(caplog) if "in refine" in one]
    line = refine.__code__.co_firstlineno + 2
    assert f"{__file__}, line {line}, in refine: named.wait(20)" in warning
    _, advice = warning.split("another one")
    assert block("docs/threads.md", "text").strip().endswith(advice)

    def lasted() -> list[float]:
        return [float(one.split()[-2]) for one in warnings(caplog) if one.startswith("the event loop was blocked for")]

    await until(lambda: max(lasted(), default=0) >= 0.5)


async def test_an_event_loop_that_goes_round_is_not_named(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "PATIENCE", 5.0)  # on a busy machine others may have their turns meanwhile
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

    def added() -> list[threading.Thread]:
        return [one for one in watches() if one not in before]

    app = App(secret="secret")
    server = await app.serve(port=0, ready_msg="", handle_signals=False)
    assert added() == []
    await server.stop()
    server = await app.serve(port=0, ready_msg="", handle_signals=False, debug=True)
    assert len(added()) == 1
    await server.stop()
    await until(lambda: not added())


def test_an_event_loop_that_is_closed_ends_its_watch() -> None:
    before = watches()
    loop = asyncio.new_event_loop()
    loop_watch.LoopWatch(loop, threading.get_ident())
    (watch,) = [one for one in watches() if one not in before]
    loop.close()
    watch.join(10)
    assert not watch.is_alive()


def test_an_event_loop_that_nobody_runs_is_not_blocked(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    watch = loop_watch.LoopWatch(loop, threading.get_ident())
    time.sleep(0.5)
    loop.run_until_complete(asyncio.sleep(0))
    watch.stop()
    loop.close()
    assert warnings(caplog) == []
