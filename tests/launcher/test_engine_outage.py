"""An engine that cannot be asked for a while: what it runs goes on meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import launching
from tests.waiting import until
from wslink.launcher.spawners import command, engine

pytestmark = pytest.mark.timeout(120)
ENOUGH = 60
"""Seconds for some dozens of commands, each of which starts a process on a machine that may be busy."""
POLLS = command.FAILURES + 1
"""More than are believed."""


class Engine:
    """Runs one container, which is a file. While it is down, all of its commands fail."""

    def __init__(self, directory: Path) -> None:
        self.runs, self.down = directory / "runs", directory / "down"
        self.asked = directory / "asked"

    def settings(self, *left_out: str) -> dict[str, Any]:
        """Of a launcher that starts it."""
        up = f"echo >> {self.asked}; test ! -e {self.down} &&"
        options = {
            "start": f"{up} touch {self.runs}",
            "poll": f"{up} test -e {self.runs}",
            "stop": f"{up} rm {self.runs}",
            "log": "echo it is ready",
            "answers": f"{up} true",
        }
        commands = {name: ["sh", "-c", text] for name, text in options.items() if name not in left_out}
        app = {"cmd": ["-"], "spawner": "command", "options": commands, "ready_line": "it is ready"}
        return {"apps": {"one": app}, "timeout": ENOUGH}

    async def asked_more(self) -> None:
        """Return when it has been asked many times more."""
        before = len(self.asked.read_text())
        await until(lambda: len(self.asked.read_text()) > before + 2 * POLLS, ENOUGH)


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(command, "INTERVAL", 0.02)
    return Engine(tmp_path)


async def test_no_session_ends_with_it(tmp_path: Path, container: Engine) -> None:
    async with launching(tmp_path, **container.settings()) as running:
        session = await running.start("one")
        container.down.touch()
        await container.asked_more()
        assert (await running.ask("GET", session["id"]))[0] == 200
        container.down.unlink()
        await container.asked_more()
        assert (await running.ask("GET", session["id"]))[0] == 200
        container.runs.unlink()
        await until(lambda: not running.launcher.sessions, ENOUGH)


async def test_a_session_that_ended_meanwhile_is_noticed_when_it_is_back(tmp_path: Path, container: Engine) -> None:
    async with launching(tmp_path, **container.settings()) as running:
        session = await running.start("one")
        container.down.touch()
        container.runs.unlink()
        await container.asked_more()
        assert (await running.ask("GET", session["id"]))[0] == 200
        container.down.unlink()
        await until(lambda: not running.launcher.sessions, ENOUGH)


async def test_a_session_is_stopped_when_it_is_back(tmp_path: Path, container: Engine) -> None:
    async with launching(tmp_path, **container.settings(), ports=1) as running:
        session = await running.start("one")
        container.down.touch()
        stopping = asyncio.create_task(running.ask("DELETE", session["id"]))
        await container.asked_more()
        assert (stopping.done(), running.free_ports()) == (False, 0)
        container.down.unlink()
        assert (await stopping)[0] == 200
        assert (container.runs.exists(), running.free_ports()) == (False, 1)


async def test_stopping_waits_for_so_long(
    tmp_path: Path, container: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.2)
    async with launching(tmp_path, **container.settings()) as running:
        session = await running.start("one")
        container.down.touch()
        assert (await running.ask("DELETE", session["id"]))[0] == 200
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "may run on: its engine cannot be asked" in told.getMessage()
    assert session["id"] not in caplog.text


async def test_a_launcher_that_is_started_meanwhile_keeps_its_sessions(tmp_path: Path, container: Engine) -> None:
    settings = {**container.settings(), "keep_sessions": True}
    async with launching(tmp_path, **settings) as running:
        session = await running.start("one")
    container.down.touch()
    async with launching(tmp_path, **settings) as running:
        await container.asked_more()
        container.down.unlink()
        await container.asked_more()
        assert (await running.ask("GET", session["id"]))[0] == 200
        assert (await running.ask("DELETE", session["id"]))[0] == 200
    assert not container.runs.exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("turns", [1, 2, 3, 4, 5])
def test_a_command_that_is_being_started_does_not_hold_up_the_end_of_the_launcher(turns: int) -> None:
    async def leave() -> None:
        task = asyncio.create_task(engine.run(["sleep", "30"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await engine.settled()
        await asyncio.wait([task])

    asyncio.run(leave())  # whose end cancels all that runs


@pytest.mark.timeout(20)
async def test_a_command_that_ends_just_as_it_is_cancelled_is_cancelled() -> None:
    """Otherwise who polls goes on for ever, and a session's end waits for that."""
    running = asyncio.create_task(engine.run(["true"]))
    talking: list[asyncio.Task[Any]] = []
    while not talking:
        await asyncio.sleep(0)
        talking = [one for one in asyncio.all_tasks() if one.get_coro().__qualname__ == "Process.communicate"]
    talking[0].add_done_callback(lambda _: running.cancel())
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_without_a_command_that_says_so_it_passes_for_the_end(tmp_path: Path, container: Engine) -> None:
    async with launching(tmp_path, **container.settings("answers")) as running:
        await running.start("one")
        container.down.touch()
        await until(lambda: not running.launcher.sessions, ENOUGH)
