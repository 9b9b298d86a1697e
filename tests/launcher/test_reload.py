"""SIGHUP: a launcher that runs follows a changed configuration, and no session ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.launcher.support import APPS, READY, SLEEP, LauncherProcess, app, arguments_app, configuration
from tests.launcher.support import launching as launching_here
from tests.waiting import until
from wslink.launcher.validation import convert

TOKENS = ("0123456789abcdef", "fedcba9876543210")
ADA, BOB = ({"Authorization": f"Bearer {token}"} for token in TOKENS)


def written(process: LauncherProcess) -> dict[str, Any]:
    return json.loads(process.path.read_text())


async def hang_up(process: LauncherProcess, changed: str) -> str:
    """Write a file, hang up, and return what the launcher logs of it."""
    log = process.directory / "log" / "launcherLog.log"
    before = log.stat().st_size
    process.path.write_text(changed)
    os.kill(process.process.pid, signal.SIGHUP)
    await until(lambda: any(end in log.read_text()[before:] for end in ("read again\n", "stays valid")), 20)
    return log.read_text()[before:]


async def test_applications_change_and_sessions_stay(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"], "old": APPS["good"]})
    client = await process.start()
    sessions = [await client.start("good"), await client.start("old")]
    changed = written(process)
    changed["apps"] = {"good": arguments_app("new"), "added": APPS["good"]}
    log = await hang_up(process, json.dumps(changed))
    assert "ERROR" not in log
    assert "restart" not in log
    for session in sessions:
        assert (await client.ask("GET", session["id"]))[0] == 200
    assert (await client.post("old"))[0] == 400
    await client.start("added")
    new = await client.start("good")
    assert 'got ["new"]' in (tmp_path / "log" / f"{new['id']}.txt").read_text()
    assert (await client.ask("DELETE", sessions[1]["id"]))[0] == 200  # of an application that there is no more
    await client.http.close()
    await process.terminate()
    assert process.process.returncode == 0


async def test_a_wrong_file_is_logged_and_the_old_one_stays(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]})
    client = await process.start()
    session = await client.start("good")
    right = written(process)
    cases = {
        "this is not JSON": "{",
        "configuration.timeout": json.dumps({**right, "configuration": {**right["configuration"], "timeout": "soon"}}),
        "spawner 'nowhere:Nothing'": json.dumps(
            {**right, "apps": {"good": {**APPS["good"], "spawner": "nowhere:Nothing"}}}
        ),
        "trusted_proxies": json.dumps(
            {**right, "configuration": {**right["configuration"], "trusted_proxies": ["here"]}}
        ),
        "admin_token_file": json.dumps(
            {**right, "configuration": {**right["configuration"], "admin_token_file": "/no/such/file"}, "apps": {}}
        ),
    }
    for reason, text in cases.items():
        log = await hang_up(process, text)
        assert [part for part in ("ERROR", reason, "stays valid") if part not in log] == []
        assert (await client.ask("GET", session["id"]))[0] == 200
    await client.start("good")
    process.path.unlink()
    os.kill(process.process.pid, signal.SIGHUP)
    await until(lambda: "cannot be read" in (tmp_path / "log" / "launcherLog.log").read_text())
    await client.start("good")
    await client.http.close()
    await process.terminate()


async def test_what_needs_a_restart_is_named_and_the_rest_is_followed(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]})
    client = await process.start()
    changed = written(process)
    changed["configuration"].update(host="0.0.0.0", endpoint="elsewhere", get=False)
    log = await hang_up(process, json.dumps(changed))
    assert "need a restart, and stay as they were: host, endpoint" in log
    session = await client.start("good")
    assert (await client.ask("GET", session["id"]))[0] == 404  # `get` is off now
    await client.http.close()
    await process.terminate()


async def test_users_and_the_administrator_change(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"ada {TOKENS[0]}\n")
    (tmp_path / "others").write_text(f"bob {TOKENS[1]}\n")
    (tmp_path / "admin").write_text("the-administrators-token")
    users = {"type": "bearer", "options": {"token_file": str(tmp_path / "users")}}
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]}, authentication=users)
    client = await process.start()
    session = (await client.post("good", ADA))[1]
    assert (await client.ask("GET", "admin/"))[0] == 404
    changed = written(process)
    changed["configuration"]["authentication"]["options"]["token_file"] = str(tmp_path / "others")
    changed["configuration"]["admin_token_file"] = str(tmp_path / "admin")
    await hang_up(process, json.dumps(changed))
    assert (await client.post("good", ADA))[0] == 401
    assert (await client.post("good", BOB))[0] == 200
    assert (await client.ask("GET", "admin/"))[0] == 200
    status, overview = await client.ask("GET", headers={"Authorization": "Bearer the-administrators-token"})
    assert status == 200
    assert session["id"] in {one["id"] for one in overview["sessions"]}
    await client.http.close()
    await process.terminate()


async def test_limits_ports_and_pools_change(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"trusted_proxies": []}
    warm = app(f"{READY}; {SLEEP}", pool=1)
    data = configuration(tmp_path, apps={"warm": warm, "good": APPS["good"]}, ports=3, **settings)
    async with launching_here(tmp_path, apps={"warm": warm, "good": APPS["good"]}, ports=3, **settings) as running:
        launcher = running.launcher
        first = launcher.configuration.resources[0].port_range[0]
        await until(lambda: any(one.standby and one.state.value == "ready" for one in launcher.sessions.values()))
        (standby,) = launcher.sessions.values()
        session = await running.start("good")
        data["resources"] = [{"host": "127.0.0.1", "port_range": [first + 100, first + 101]}]
        data["apps"]["warm"] = {**warm, "env": {"CHANGED": "1"}}
        data["configuration"]["sessions_per_client"] = 1
        launcher.reload(convert(data))
        # The one that waits is replaced; the client's stays, with a port that is no longer given out.
        await until(lambda: standby.id not in launcher.sessions)
        await until(lambda: any(one.standby and one.state.value == "ready" for one in launcher.sessions.values()))
        assert session["port"] in range(first, first + 3)
        assert {one.lease[1] for one in launcher.sessions.values() if one.standby} <= {first + 100, first + 101}
        assert launcher.free_ports == 1
        assert (await running.post("good"))[0] == 429
        await running.ask("DELETE", session["id"])
        assert launcher.free_ports == 1
        await running.start("good")
        data["apps"]["warm"]["pool"] = 0
        launcher.reload(convert(data))
        await until(lambda: len(launcher.sessions) == 1)


async def test_a_start_that_has_begun_goes_on(tmp_path: Path) -> None:
    slow = app(f"import time; time.sleep(0.7); {READY}; {SLEEP}")
    process = LauncherProcess(tmp_path, apps={"slow": slow})
    client = await process.start()
    starting = asyncio.create_task(client.post("slow"))
    await until(lambda: list((tmp_path / "log").glob("*-*.txt")))
    await hang_up(process, json.dumps({**written(process), "apps": {}}))
    status, session = await starting
    assert status == 200, session
    assert (await client.ask("GET", session["id"]))[0] == 200
    await client.http.close()
    await process.terminate()
