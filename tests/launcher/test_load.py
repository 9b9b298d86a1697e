"""Many requests at once, and a launcher that is killed in the middle: nothing may be left over."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.launcher.support import (
    Client,
    LauncherProcess,
    descriptors,
    launching,
    processes,
)
from tests.waiting import until

MIX = ("good", "failing", "hanging", "instant")
REQUESTS, PORTS = 200, 100
LINE = re.compile(r"[0-9a-f-]{36} 127\.0\.0\.1:\d{5}\n")


class Reader:
    """Reads the proxy file all the time and keeps what was not a whole file."""

    def __init__(self, path: Path) -> None:
        self.path, self.torn, self.reads = path, [], 0
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        while True:
            text = self.path.read_text()
            self.reads += 1
            if LINE.sub("", text):
                self.torn.append(text)
            await asyncio.sleep(0.002)


def right(application: str, status: int, answer: Any) -> bool:
    """Whether an answer is right; any request may find every port taken."""
    if status == 503 and answer["error"] == "All the resources are currently taken":
        return True
    return {
        "good": lambda: status == 200 and len(answer["id"]) == 36,
        "failing": lambda: status == 503 and answer["exitCode"] == 3 and "the reason ***" in answer["log"],
        "instant": lambda: status == 503 and answer["exitCode"] == 0,
        "hanging": lambda: status == 503 and "timeout" in answer["error"],
    }[application]()


async def crowd(client: Client, mix: Sequence[str]) -> list[Any]:
    """The sessions of so many requests at once, of which every answer has to be right."""
    wanted = [mix[number % len(mix)] for number in range(REQUESTS)]
    answers = await asyncio.gather(*map(client.post, wanted))
    wrong = [(name, *answer) for name, answer in zip(wanted, answers, strict=True) if not right(name, *answer)]
    assert wrong == [], wrong[:3]
    sessions = [answer for status, answer in answers if status == 200]
    assert len({one["port"] for one in sessions}) == len(sessions) >= PORTS // 5
    return sessions


def mapped(path: Path) -> list[str]:
    """The sessions in the proxy file."""
    return [line.split()[0] for line in path.read_text().splitlines()]


def directories(path: Path) -> int:
    return len(os.listdir(path))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files of the launcher, with a path that is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.setenv("TMPDIR", directory)
        monkeypatch.setattr("tempfile.tempdir", directory)
        yield Path(directory)


@pytest.mark.timeout(120)
async def test_200_requests_on_100_ports(tmp_path: Path, short: Path) -> None:
    async with launching(tmp_path, ports=PORTS, timeout=20) as running:
        await running.start("good")  # all that is made once is there
        before = descriptors()
        reader = Reader(tmp_path / "proxy.txt")
        sessions = await crowd(running, ("good", "failing", "hanging", "instant"))
        reader.task.cancel()
        assert reader.torn == []
        assert reader.reads > 10
        assert running.free_ports() == PORTS - 1 - len(sessions)
        # Every port that was given back can be had again.
        await asyncio.gather(*(running.ask("DELETE", one["id"]) for one in sessions))
        assert running.free_ports() == PORTS - 1
        assert len(processes()) == len(mapped(tmp_path / "proxy.txt")) == directories(short) == 1
        await running.http.close()
        await until(lambda: descriptors() <= before)


@pytest.mark.timeout(120)
async def test_killed_in_the_middle_and_started_again(tmp_path: Path, short: Path) -> None:
    launcher = LauncherProcess(tmp_path / "launcher", ports=PORTS, timeout=20)
    path = tmp_path / "launcher" / "proxy.txt"
    client = await launcher.start()
    known = [await client.start("good") for _ in range(5)]
    reader = Reader(path)
    mix = [asyncio.create_task(client.post(MIX[number % len(MIX)])) for number in range(REQUESTS)]
    await until(lambda: len(mapped(path)) >= 10, 30)
    await launcher.kill()
    answers = await asyncio.gather(*mix, return_exceptions=True)
    await client.http.close()
    assert any(isinstance(answer, aiohttp.ClientError) for answer in answers)  # it was in the middle
    told = [answer[1]["id"] for answer in answers if not isinstance(answer, BaseException) and answer[0] == 200]

    client = await launcher.start()
    # Those that were ready run and are known; those that were starting, which nobody was told of, have gone.
    for session in known:
        assert await client.ask("GET", session["id"]) == (200, session)
    ids = mapped(path)
    assert {*told, *(one["id"] for one in known)} <= set(ids)
    assert len(processes()) == len(ids) == directories(short)
    # And all is as with a launcher that was never killed.
    before = psutil.Process(launcher.process.pid).num_fds()
    ids += [one["id"] for one in await crowd(client, ("good", "failing", "instant"))]
    await _the_pool_is_whole(client, ids)
    reader.task.cancel()
    assert reader.torn == []
    assert mapped(path) == []
    await client.http.close()
    await until(lambda: psutil.Process(launcher.process.pid).num_fds() <= before)
    assert directories(short) == 0
    await launcher.terminate()
    assert processes() == []


async def _the_pool_is_whole(client: Client, ids: list[str]) -> None:
    """Every port that no session has can be taken."""
    answers = await asyncio.gather(*(client.post("good") for _ in range(PORTS - len(ids) + 3)))
    assert Counter(status for status, _ in answers) == {200: PORTS - len(ids), 503: 3}
    everything = [*ids, *(answer["id"] for status, answer in answers if status == 200)]
    statuses = await asyncio.gather(*(client.ask("DELETE", one) for one in everything))
    assert {status for status, _ in statuses} == {200}
    await until(lambda: not processes(), 15)


async def test_a_second_launcher_of_one_state_is_refused(tmp_path: Path) -> None:
    from wslink.errors import UsageError

    async with launching(tmp_path):
        with pytest.raises(UsageError, match="another launcher"):
            async with launching(tmp_path):
                pass
