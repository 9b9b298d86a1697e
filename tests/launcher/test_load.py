"""Many requests at once, and a launcher that is killed in the middle: nothing may be left over."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.launcher.support import (
    APPS,
    READY,
    SLEEP,
    Client,
    LauncherProcess,
    app,
    descriptors,
    launching,
    processes,
    until,
)

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


def right(application: str, status: int) -> bool:
    """Whether an answer is right; a good request may find every port taken."""
    return status == 503 or (application == "good" and status == 200)


@pytest.mark.timeout(120)
async def test_200_requests_on_100_ports(tmp_path: Path) -> None:
    async with launching(tmp_path, ports=PORTS, timeout=20) as running:
        await running.start("good")  # all that is made once is there
        before = descriptors()
        reader = Reader(tmp_path / "proxy.txt")
        wanted = [MIX[number % len(MIX)] for number in range(REQUESTS)]
        answers = await asyncio.gather(*map(running.post, wanted))
        reader.task.cancel()
        counted = Counter((name, status) for name, (status, _) in zip(wanted, answers, strict=True))
        print(counted, reader.reads, "reads")
        assert all(right(name, status) for name, (status, _) in zip(wanted, answers, strict=True)), counted
        sessions = [answer for status, answer in answers if status == 200]
        assert len({one["port"] for one in sessions}) == len(sessions) >= 25
        assert reader.torn == []
        assert reader.reads > 10
        assert running.free_ports() == PORTS - 1 - len(sessions)
        # Every port that was given back can be had again.
        await asyncio.gather(*(running.ask("DELETE", one["id"]) for one in sessions))
        assert running.free_ports() == PORTS - 1
        assert len(processes()) == 1
        await running.http.close()
        await asyncio.sleep(0.1)
        assert descriptors() <= before
        assert len((tmp_path / "proxy.txt").read_text().splitlines()) == 1


@pytest.mark.timeout(120)
async def test_killed_in_the_middle_and_started_again(tmp_path: Path) -> None:
    ready = app(f"import time; time.sleep(0.5); {READY}; {SLEEP}")
    launcher = LauncherProcess(tmp_path / "launcher", ports=PORTS, timeout=20, apps={**APPS, "slow": ready})
    client = await launcher.start()
    known = [await client.start("good") for _ in range(5)]
    crowd = [asyncio.create_task(client.post(name)) for name in ("slow", *MIX) * 12]
    await asyncio.sleep(1)
    await launcher.kill()
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    await client.http.close()
    told = [answer[1]["id"] for answer in answers if not isinstance(answer, BaseException) and answer[0] == 200]
    assert all(isinstance(answer, (tuple, aiohttp.ClientError)) for answer in answers)

    client = await launcher.start()
    # Those that were ready run and are known; those that were starting, which nobody was told of, have gone.
    for session in known:
        assert await client.ask("GET", session["id"]) == (200, session)
    mapped = (tmp_path / "launcher" / "proxy.txt").read_text()
    assert LINE.sub("", mapped) == ""
    ids = [line.split()[0] for line in mapped.splitlines()]
    assert {*told, *(one["id"] for one in known)} <= set(ids)
    assert len(processes()) == len(ids)
    await _the_pool_is_whole(client, ids)
    await client.http.close()
    await launcher.terminate()
    assert processes() == []


async def _the_pool_is_whole(client: Client, ids: list[str]) -> None:
    """Every port that no session has can be taken."""
    answers = await asyncio.gather(*(client.post("good") for _ in range(PORTS - len(ids) + 3)))
    assert Counter(status for status, _ in answers) == {200: PORTS - len(ids), 503: 3}
    everything = [*ids, *(answer["id"] for status, answer in answers if status == 200)]
    statuses = await asyncio.gather(*(client.ask("DELETE", one) for one in everything))
    assert {status for status, _ in statuses} == {200}
    await until(lambda: not processes())


async def test_a_second_launcher_of_one_state_is_refused(tmp_path: Path) -> None:
    from wslink.errors import UsageError

    async with launching(tmp_path):
        with pytest.raises(UsageError, match="another launcher"):
            async with launching(tmp_path):
                pass
