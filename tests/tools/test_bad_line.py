"""Commands on a line that is cut and comes back: what they say, their exit codes, and the files that they leave."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.lines import Line
from tests.tools.test_commands import ROOT
from wslink import App, Call, Recorder
from wslink.cli import main
from wslink.replay.tape import open_tape

SECRET = ("--secret", "secret")


@pytest.fixture
def app() -> App:
    app = App(secret="secret", recorder=Recorder())
    ticks = app.topic("demo.tick")
    numbers = itertools.count()
    waiting = asyncio.Event()

    @app.method("demo.slow")
    async def slow(call: Call) -> str:
        waiting.set()
        await asyncio.sleep(0.3)
        return "slow"

    @app.method("demo.count")
    async def count(most: int) -> AsyncIterator[int]:
        for number in range(most):
            yield number
            await asyncio.sleep(0.01)

    @ticks.on_subscribe
    async def tick(subscription: Any) -> None:
        while subscription.active:
            ticks.publish({"n": next(numbers)})
            await asyncio.sleep(0.01)

    return app


@pytest.fixture
async def line(app: App, serve: Serve) -> AsyncIterator[Line]:
    line = await Line.to(await serve(app))
    yield line
    await line.close()


async def cut_while(command: asyncio.Task[int], line: Line, seconds: float = 0.15, times: int = 1) -> int:
    """Cut the line now and then while a command runs; its exit code."""
    while not line.is_open:
        await asyncio.sleep(0.02)
    for _ in range(times):
        await asyncio.sleep(seconds)
        line.cut()
    return await asyncio.wait_for(command, 20)


def start(*words: str) -> asyncio.Task[int]:
    return asyncio.ensure_future(asyncio.to_thread(main, [*words, *SECRET]))


async def test_watch_goes_on_and_misses_nothing(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    command = start("watch", line.url, "demo.tick", "--json", "--count", "60")
    assert await cut_while(command, line, times=2) == 0
    out, err = capsys.readouterr()
    said = [json.loads(one)["n"] for one in out.splitlines()]
    assert said == list(range(said[0], said[0] + 60))
    assert "the connection is lost; trying again for 60 s" in err
    assert "connected again after" in err
    assert "nothing is lost" in err


async def test_a_call_gets_its_response_over_another_connection(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert await cut_while(start("call", line.url, "demo.slow"), line, 0.1) == 0
    assert capsys.readouterr().out == '"slow"\n'
    assert await cut_while(start("call", line.url, "--stream", "demo.count", "60"), line) == 0
    assert capsys.readouterr().out.split() == [str(n) for n in range(60)]


async def test_a_recording_goes_on(line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.wsrec"
    assert await cut_while(start("record", line.url, "-o", str(path), "--count", "60"), line) == 0
    assert "-- 60 publications" in capsys.readouterr().out
    said = [one.payload["n"] for one in open_tape(path).shown]
    assert said == list(range(said[0], said[0] + 60))


async def test_a_recording_that_ends_early_is_said_to_and_can_be_replayed(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.wsrec"
    command = start("record", line.url, "-o", str(path), "--reconnect", "0")
    assert await cut_while(command, line) == 1
    out, err = capsys.readouterr()
    assert "publications, " in out
    assert err.startswith("wslink: connection closed: ")
    assert len(open_tape(path).shown) > 3
    assert not open_tape(path).truncated


async def test_what_a_server_has_recorded_is_there_whole_or_not_at_all(
    app: App, line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.wsrec"
    path.write_text("what was there before")
    async with app.connect() as link:
        for _ in range(300):
            with contextlib.suppress(Exception):
                await link.call("demo.nothing", "x" * 2000)
    line.every = 100_000, 1e9
    assert await asyncio.wait_for(start("record", line.url, "--ring", "-o", str(path), "--reconnect", "0"), 20) == 1
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]
    line.every = 400_000, 1e9
    assert await asyncio.wait_for(start("record", line.url, "--ring", "-o", str(path)), 20) == 0
    assert line.connections >= 3
    assert "nothing is lost" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
    assert open_tape(path).methods == {"demo.nothing"}


async def test_a_server_that_says_nothing_more_is_not_waited_for(
    tmp_path: Path, silent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["call", silent, "demo.slow"],
        ["watch", silent, "demo.tick"],
        ["record", silent, "-o", str(tmp_path / "a.wsrec")],
        ["record", silent, "--topic", "demo.tick", "-o", str(tmp_path / "a.wsrec")],
    ):
        assert await asyncio.wait_for(start(*words, "--timeout", "0.3"), 10) == 1
        assert "no response within 0.3 s" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


async def test_doctor_tells_a_line_that_is_cut_from_a_bound(
    app: App, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.on_connect
    def once(client_id: str) -> None:
        line.every = None

    line.every = 1e9, 100_000
    assert await asyncio.wait_for(start("doctor", line.url), 20) == 1
    out = capsys.readouterr().out
    assert "FAIL line        the connection was lost while 200 kB were sent" in out
    assert "a second one let them pass" in out
    assert "WSLINK_MAX_MSG_SIZE" not in out


async def test_a_recording_ends_at_sigterm_as_at_control_c(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "run.wsrec"
    command = (sys.executable, "-m", "wslink", "record", line.url, *SECRET, "-o", str(path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert b"recording demo.tick" in await asyncio.wait_for(process.stdout.readline(), 20)
    await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert b"publications" in said
    assert open_tape(path).shown
    assert not open_tape(path).truncated


async def test_a_static_site_is_there_whole_or_not_at_all(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, content, out = tmp_path / "run.wsrec", tmp_path / "www", tmp_path / "site"
    Recorder().write(path)
    content.mkdir()
    (content / "index.html").write_text("<!doctype html><title>page</title>")
    arguments = ["replay", str(path), "--content", str(content), "--static", str(out)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        assert main(arguments) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [path, content]
    out.mkdir()  # which may be there already
    assert main(arguments) == 0
    assert (out / "index.html").is_file()
    assert (out / "wslink" / "recording.wsrec").is_file()
    assert sorted(tmp_path.iterdir()) == [path, out, content]
