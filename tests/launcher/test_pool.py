"""Sessions that are kept ready."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import APPS, READY, SLEEP, LauncherProcess, Running, app, launching, processes
from tests.waiting import until
from wslink.errors import ConfigurationError

SLOW = f"import time; time.sleep(0.5); {READY}; {SLEEP}"
POOL = {**APPS, "warm": app(SLOW, "${secret}", pool=2)}


def standbys(running: Running) -> list[Any]:
    return [one for one in running.launcher.sessions.values() if one.standby and one.state.value == "ready"]


async def test_a_hit_is_answered_within_50_ms_and_made_good(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=POOL, ports=6) as running:
        await until(lambda: len(standbys(running)) == 2)
        seconds, sessions = [], []
        for _ in range(2):
            begin = time.perf_counter()
            sessions.append(await running.start("warm"))
            seconds.append(time.perf_counter() - begin)
        assert max(seconds) < 0.05, seconds
        assert len({one["secret"] for one in sessions}) == len({one["port"] for one in sessions}) == 2
        mapped = {line.split()[0] for line in (tmp_path / "proxy.txt").read_text().splitlines()}
        assert mapped == {one["id"] for one in sessions}
        await until(lambda: len(standbys(running)) == 2)
        assert running.free_ports() == 2


async def test_a_standby_is_nobodys(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=POOL, sessions_per_client=1, trusted_proxies=[]) as running:
        await until(lambda: len(standbys(running)) == 2)
        for standby in standbys(running):
            assert (await running.ask("GET", standby.id))[0] == 400
            assert (await running.ask("DELETE", standby.id))[0] == 404
            token = standby.values["token"]
            async with running.http.get(f"{running.url}/paraview/session/{standby.id}/{token}/") as response:
                assert response.status == 404
        await running.start("warm")
        assert (await running.post("warm"))[0] == 429


async def test_a_standby_that_dies_is_replaced(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=POOL) as running:
        await until(lambda: len(standbys(running)) == 2)
        dead = standbys(running)[0]
        os.kill(dead.spawner.state()["pid"], signal.SIGKILL)
        await until(lambda: dead.id not in running.launcher.sessions)
        await until(lambda: len(standbys(running)) == 2)


async def test_standbys_give_way(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=POOL, ports=3) as running:
        await until(lambda: len(standbys(running)) == 2)
        for _ in range(3):
            await running.start("good")
        assert not standbys(running)
        assert (await running.post("good"))[0] == 503


async def test_a_pool_that_cannot_be_filled_is_left_alone(tmp_path: Path) -> None:
    async with launching(tmp_path, apps={"broken": {**APPS["failing"], "pool": 2}, "good": APPS["good"]}) as running:
        await until(lambda: not running.launcher.sessions)
        await running.start("good")
        assert len(running.launcher.sessions) == 1


async def test_standbys_survive_a_kill(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path / "launcher", apps=POOL)
    client = await launcher.start()
    await until(lambda: len(processes()) == 2)
    await client.start("warm")
    await client.http.close()
    await launcher.kill()
    client = await launcher.start()
    await until(lambda: len(processes()) == 3)
    await client.http.close()
    await launcher.terminate()
    assert processes() == []


async def test_what_clients_post_cannot_be_known_before(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"apps\.warm\.pool: nobody has posted name"):
        async with launching(tmp_path, apps={"warm": app(SLOW, "${name}", pool=1)}):
            pass
