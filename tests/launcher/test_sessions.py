"""Sessions from their start to their end, over HTTP, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from tests.launcher.support import APPS, READY, SLEEP, LauncherProcess, app, launching, processes
from tests.waiting import until
from wslink.errors import StartFailed
from wslink.launcher.readiness import until_ready
from wslink.launcher.session import Session
from wslink.launcher.spawners.base import LaunchSpec
from wslink.launcher.spawners.local import LocalSpawner

STAMPED = app(f"import time; print('it is ready', time.time(), flush=True); {SLEEP}", ready_line="it is ready")


async def test_readiness_is_noticed_within_50_ms(tmp_path: Path) -> None:
    latencies = []
    async with launching(tmp_path, apps={"stamped": STAMPED}, ports=10) as running:
        for _ in range(8):
            session = await running.start("stamped")
            answered = time.time()
            latencies.append(answered - float(running.log(session).split()[-1]))
    # Two looks are 20 ms apart; the rest is this machine's.
    assert sorted(latencies)[len(latencies) // 2] < 0.05, latencies


async def test_without_a_ready_line_the_port_tells(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("listening")
        _, writer = await asyncio.open_connection("127.0.0.1", session["port"])
        writer.close()


async def test_an_early_end_is_told_at_once_with_exit_code_and_log(tmp_path: Path) -> None:
    async with launching(tmp_path, timeout=20) as running:
        begin = time.monotonic()
        status, answer = await running.post("failing")
        assert time.monotonic() - begin < 3
    assert status == 503
    assert answer["exitCode"] == 3
    assert answer["log"].strip() == "the reason ***"


async def test_a_session_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    async with launching(tmp_path, timeout=0.3) as running:
        status, answer = await running.post("hanging")
        assert (status, "exitCode" in answer) == (503, False)
        assert running.free_ports() == 4
        assert not running.launcher.sessions


@pytest.mark.parametrize("application", ["failing", "instant", "missing", "hanging"])
async def test_a_failed_start_leaves_nothing(tmp_path: Path, application: str) -> None:
    async with launching(tmp_path, timeout=0.5, ports=2) as running:
        for _ in range(5):
            assert (await running.post(application))[0] == 503
        assert running.free_ports() == 2
        assert (tmp_path / "proxy.txt").read_text() == ""
        assert await running.launcher.store.records() == {}


async def test_a_dead_process_is_never_told_ready(tmp_path: Path) -> None:
    """It has written its ready line and ended before anybody looked."""
    log = tmp_path / "log"
    spawner = LocalSpawner(LaunchSpec("an-id", tuple(app(READY)["cmd"]), {}, "127.0.0.1", 1, log))
    session = Session("an-id", "dead", "", ("127.0.0.1", 1), {"secret": "s", "token": "t"}, spawner=spawner)
    await spawner.start()
    while await spawner.poll() is None:
        await asyncio.sleep(0.01)
    assert "it is ready" in log.read_text()
    with pytest.raises(StartFailed, match="exit code 0"):
        await until_ready(session, "it is ready", log, 5, lambda _: None)
    await spawner.stop()


async def test_a_session_that_ends_is_reaped(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("ends")
        await until(lambda: session["id"] not in running.launcher.sessions)
        assert running.free_ports() == 4
        assert (tmp_path / "proxy.txt").read_text() == ""
        assert (await running.ask("GET", session["id"]))[0] == 400


async def test_an_application_has_an_idle_timeout_of_its_own(tmp_path: Path) -> None:
    apps = {"kept": {**APPS["good"], "idle_timeout": 0}, "short": {**APPS["good"], "idle_timeout": 0.1}}
    async with launching(tmp_path, apps=apps, idle_timeout=0.5) as running:
        kept, short = await running.start("kept"), await running.start("short")
        await until(lambda: short["id"] not in running.launcher.sessions)
        await asyncio.sleep(1.5)
        assert kept["id"] in running.launcher.sessions


async def test_a_session_has_a_longest_age(tmp_path: Path) -> None:
    apps = {"kept": {**APPS["good"], "max_age": 0}, "short": {**APPS["good"], "max_age": 0.1}, "good": APPS["good"]}
    async with launching(tmp_path, apps=apps, max_age=2) as running:
        kept, good, short = [await running.start(name) for name in ("kept", "good", "short")]
        running.launcher.sessions[good["id"]].connections = 1  # it is in use, and ends all the same
        await until(lambda: short["id"] not in running.launcher.sessions)
        assert good["id"] in running.launcher.sessions
        await until(lambda: good["id"] not in running.launcher.sessions, 10)
        assert list(running.launcher.sessions) == [kept["id"]]


async def test_a_session_that_waits_for_a_client_is_not_too_old(tmp_path: Path) -> None:
    apps = {"warm": {**APPS["good"], "pool": 1, "max_age": 1}}
    async with launching(tmp_path, apps=apps) as running:
        await asyncio.sleep(2.5)
        session = await running.start("warm")
        assert session["id"] in running.launcher.sessions
        await until(lambda: session["id"] not in running.launcher.sessions, 10)


async def test_a_session_gets_less_of_the_cpu(tmp_path: Path) -> None:
    program = f"import os, time; time.sleep(0.2); print('nice', os.nice(0)); {READY}; {SLEEP}"
    apps = {"nice": app(program, limits={"nice": 7}), "usual": app(program)}
    async with launching(tmp_path, apps=apps) as running:
        usual = os.nice(0)
        for name, expected in (("nice", 7), ("usual", usual)):
            session = await running.start(name)
            assert f"nice {expected}\n" in running.log(session)
        (pid,) = processes(session["id"])
        own = Path(f"/proc/{pid}/autogroup")
        with contextlib.suppress(OSError):
            assert "nice 0" in own.read_text()


async def test_an_idle_session_is_reaped_and_a_used_one_is_not(tmp_path: Path) -> None:
    async with launching(tmp_path, idle_timeout=1.5) as running:
        idle, used = await running.start("listening"), await running.start("listening")
        _, writer = await asyncio.open_connection("127.0.0.1", used["port"])
        await until(lambda: idle["id"] not in running.launcher.sessions)
        assert used["id"] in running.launcher.sessions
        writer.close()


async def test_the_whole_process_tree_ends(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("family")
        assert len(processes(session["id"])) == 3
        assert (await running.ask("DELETE", session["id"]))[0] == 200
        assert processes(session["id"]) == []


async def test_children_of_a_session_that_crashed_end_too(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("family")
        os.kill(running.launcher.sessions[session["id"]].spawner.state()["pid"], signal.SIGKILL)
        await until(lambda: processes(session["id"]) == [])


async def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    async with launching(tmp_path, stop_grace=0.2) as running:
        session = await running.start("stubborn")
        begin = time.monotonic()
        assert (await running.ask("DELETE", session["id"]))[0] == 200
        assert time.monotonic() - begin < 2
        assert processes(session["id"]) == []


async def test_processes_are_asked_before_they_are_killed(tmp_path: Path) -> None:
    program = (
        f"import time\n{READY}\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('saved', flush=True)"
    )
    async with launching(tmp_path, apps={"saving": app(program)}) as running:
        session = await running.start("saving")
        await running.ask("DELETE", session["id"])
        assert running.log(session).endswith("saved\n")


async def test_a_port_that_somebody_else_has_is_passed_over(tmp_path: Path) -> None:
    async with launching(tmp_path, ports=2) as running:
        first = running.launcher.configuration.resources[0].port_range[0]
        squatter = await asyncio.start_server(lambda *_: None, "127.0.0.1", first)
        assert (await running.start("listening"))["port"] == first + 1
        assert (await running.post("listening"))[0] == 503
        squatter.close()
        await squatter.wait_closed()
        assert (await running.start("listening"))["port"] == first


async def test_a_client_that_leaves_takes_its_session_along(tmp_path: Path) -> None:
    slow = app(f"import time; time.sleep(0.5); {READY}; {SLEEP}")
    async with launching(tmp_path, apps={"slow": slow}) as running:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(running.post("slow"), 0.2)
        await until(lambda: running.launcher.sessions)
        await until(lambda: not running.launcher.sessions)
        assert running.free_ports() == 4


async def test_a_session_that_is_stopped_while_it_starts(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        starting = asyncio.create_task(running.post("hanging"))
        await until(lambda: running.launcher.sessions)
        (session_id,) = running.launcher.sessions
        await running.launcher.stop(session_id)
        assert (await starting)[0] == 503
        assert processes(session_id) == []


async def test_an_address_outlives_small_letters(tmp_path: Path) -> None:
    # trame's client puts all of it into small letters.
    async with launching(tmp_path) as running:
        path = (await running.start("good"))["sessionURL"].removeprefix("ws://USE_HOST")
        assert path == path.lower()


async def test_limits_reach_the_process(tmp_path: Path) -> None:
    program = f"import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE), flush=True); {READY}; {SLEEP}"
    limited = app(f"import time; time.sleep(0.2); {program}", limits={"open_files": 77})
    async with launching(tmp_path, apps={"limited": limited}) as running:
        assert "(77, 77)" in running.log(await running.start("limited"))


async def test_a_secret_in_the_environment_or_in_a_file(tmp_path: Path) -> None:
    show = f"import os, sys; print(open(sys.argv[1]).read() == os.environ['KEY'], flush=True); {READY}; {SLEEP}"
    both = app(show, "${secret_file}", env={"KEY": "${secret}"})
    async with launching(tmp_path, apps={"both": both}) as running:
        session = await running.start("both")
        [path] = (tmp_path / "log").glob("*.secret")
        assert session["id"] not in path.name  # which others see in the list of processes
        assert running.log(session).startswith("True")
        assert path.read_text() == session["secret"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await running.ask("DELETE", session["id"])
        assert not path.exists()


async def test_both_spellings_of_the_endpoint(tmp_path: Path) -> None:
    async with launching(tmp_path, endpoint="/a/deep/place/") as running:
        for path in ("/a/deep/place", "/a/deep/place/"):
            async with running.http.post(running.url + path, data='{"application": "good"}') as response:
                assert response.status == 200
                session = await response.json()
            async with running.http.get(f"{running.url}/a/deep/place/{session['id']}") as response:
                assert await response.json() == session


async def test_the_proxy_file_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "proxy.txt").touch()
    (tmp_path / "proxy.txt").chmod(0o660)
    async with launching(tmp_path) as running:
        session = await running.start("good")
        path = tmp_path / "proxy.txt"
        assert path.read_text() == f"{session['id']} 127.0.0.1:{session['port']}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file to a foreign group")
@pytest.mark.parametrize(("mode", "kept"), [(0o755, False), (0o2755, True)])
async def test_a_proxy_file_that_loses_its_group_is_logged(
    mode: int, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, group = tmp_path / "proxy.txt", os.getgid() + 1
    path.touch()
    for one in (tmp_path, path):
        os.chown(one, -1, group)
    tmp_path.chmod(mode)

    def refuse(*_: object) -> None:
        raise PermissionError("not a member")  # as for a launcher that is not root

    monkeypatch.setattr(os, "chown", refuse)
    async with launching(tmp_path) as running:
        await running.start("good")
    assert (path.stat().st_gid == group) == kept
    assert caplog.text.count("loses its group") == (not kept)


async def test_an_end_of_the_launcher_ends_its_sessions(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path / "launcher", apps=APPS)
    client = await launcher.start()
    session = await client.start("family")
    await client.http.close()
    await launcher.terminate()
    assert launcher.process.returncode == 0
    assert processes(session["id"]) == []


async def test_sessions_can_be_kept_over_an_end(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path / "launcher", keep_sessions=True)
    client = await launcher.start()
    session = await client.start("good")
    await client.http.close()
    await launcher.terminate()
    assert len(processes(session["id"])) == 1
    client = await launcher.start()
    assert (await client.ask("GET", session["id"])) == (200, session)
    assert (await client.ask("DELETE", session["id"]))[0] == 200
    assert processes(session["id"]) == []
    await client.http.close()
    await launcher.terminate()
