"""Sessions as jobs of a real Slurm, whose daemons the tests start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import wslink
from tests.deployment.cluster import CPUS, PROGRAMS, Cluster
from tests.deployment.servers import missing
from tests.launcher.support import READY, SLEEP, Client, LauncherProcess, Running, app, arguments_app
from tests.launcher.support import launching as launching_with
from tests.waiting import until
from wslink.launcher.spawners.slurm import job_name

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(any(map(missing, PROGRAMS)), reason="Slurm is not installed"),
]

VIEWER = """
import os
from wslink import App

app = App(secret=os.environ["VIEWER_SECRET"])


@app.method("viewer.add")
def add(one: float, two: float) -> float:
    return one + two
"""
SERVE = [sys.executable, "-m", "wslink", "serve", "viewer:app", "--host", "${host}", "--port", "${port}"]


def apps(directory: Path, **options: Any) -> dict[str, Any]:
    (directory / "viewer.py").write_text(VIEWER)
    on_slurm = {"spawner": "slurm", "options": options}
    return {
        "viewer": {
            "cmd": SERVE,
            "env": {"VIEWER_SECRET": "${secret}"},
            "cwd": str(directory),
            "ready_line": "Starting factory",
            **on_slurm,
        },
        "listening": {
            "cmd": SERVE,
            "env": {"VIEWER_SECRET": "${secret}"},
            "cwd": str(directory),
            **on_slurm,
        },
        "failing": app("import sys; print('the reason', sys.argv[1]); sys.exit(3)", "${secret}", **on_slurm),
        "named": arguments_app("--name", "${name}", "it's\n#SBATCH --partition=nowhere\n", **on_slurm),
        "good": app(f"{READY}; {SLEEP}", **on_slurm),
    }


def settings(directory: Path, **options: Any) -> dict[str, Any]:
    return {"apps": apps(directory, **options), "timeout": 60}


def launching(directory: Path, **options: Any) -> contextlib.AbstractAsyncContextManager[Running]:
    return launching_with(directory, **settings(directory, **options))


async def works(client: Client, session: dict[str, Any]) -> None:
    """Use a session through the launcher's own proxy."""
    url = session["sessionURL"].replace("USE_HOST", client.url.removeprefix("http://"))
    async with wslink.connect(url, secret=session["secret"]) as link:
        assert await link.call("viewer.add", 1, 2) == 3


async def told(running: Running, application: str) -> AsyncIterator[tuple[str, Any]]:
    """The events of a start, one by one."""
    headers, body = {"Accept": "text/event-stream"}, {"application": application}
    async with running.http.post(f"{running.url}/paraview/", json=body, headers=headers) as response:
        kind = ""
        async for line in response.content:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)


def state(cluster: Cluster, session: dict[str, Any]) -> str:
    """How Slurm describes a session's job that has ended."""
    name = f"--name={job_name(session['id'])}"
    return cluster.ask("squeue", "--noheader", "--states=all", "--format=%T", name).strip()


def last_job(cluster: Cluster) -> str:
    """Name and state of the job that was submitted last."""
    return cluster.ask("squeue", "--noheader", "--states=all", "--sort=-i", "--format=%j %T").splitlines()[0]


@pytest.mark.parametrize("application", ["viewer", "listening"])
async def test_from_start_to_end(tmp_path: Path, cluster: Cluster, application: str) -> None:
    async with launching(tmp_path, partition="main", cpus=1, time="1:00:00", arguments=["--nice=10"]) as running:
        session = await running.start(application)
        assert cluster.names() == [job_name(session["id"])]
        await works(running, session)
        assert (await running.ask("DELETE", session["id"]))[0] == 200
        assert cluster.names() == []
        assert state(cluster, session) == "CANCELLED"
        assert running.free_ports() == 4


async def test_its_node_is_known_when_it_is_ready(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("good")  # ready before Slurm has been asked
        line = f"{session['id']} 127.0.0.1:{session['port']}\n"
        assert (tmp_path / "proxy.txt").read_text() == line
        await running.ask("DELETE", session["id"])


async def test_the_queue_is_told(tmp_path: Path, cluster: Cluster) -> None:
    fillers = [cluster.submit(f"--cpus-per-task={CPUS}") for _ in range(2)]
    async with launching(tmp_path) as running:
        seen = []
        async for kind, data in told(running, "viewer"):
            seen.append((kind, data))
            if kind == "waiting" and "position 2 (" in data["for"]:
                cluster.ask("scancel", *fillers)
        assert seen[0] == ("starting", {})
        assert seen[-1][0] == "ready"
        assert any(kind == "waiting" and data["for"].startswith("in the queue, position 2 (") for kind, data in seen)
        await works(running, seen[-1][1])


async def test_a_client_that_leaves_takes_its_job_along(tmp_path: Path, cluster: Cluster) -> None:
    cluster.submit(f"--cpus-per-task={CPUS}")
    async with launching(tmp_path) as running:
        events = told(running, "viewer")
        async for kind, _ in events:
            if kind == "waiting":
                break
        await events.aclose()  # type: ignore[attr-defined]
        await until(lambda: not running.launcher.sessions, 20)
        assert len(cluster.names()) == 1


async def test_a_job_that_fails(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path) as running:
        status, answer = await running.post("failing")
        assert (status, answer["exitCode"], answer["log"].strip()) == (503, 3, "the reason ***")
        assert running.free_ports() == 4


async def test_a_job_that_slurm_refuses(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path, partition="nowhere") as running:
        status, answer = await running.post("good")
        assert (status, answer["exitCode"]) == (503, 1)
        assert "invalid partition specified: nowhere" in answer["log"]
        assert running.free_ports() == 4


async def test_a_submission_whose_answer_was_lost(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = "{}; echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"
    wrap(tmp_path, monkeypatch, "sbatch", lost)
    async with launching(tmp_path) as running:
        status, answer = await running.post("good")
        assert (status, answer["exitCode"]) == (503, 1)
        assert cluster.names() == []
        assert last_job(cluster).endswith(" CANCELLED")


async def test_arguments_arrive_as_they_are(tmp_path: Path, cluster: Cluster) -> None:
    name = "a b; touch x $(id) `id` 'q' \"d\" \\ * %j #SBATCH --hold"
    async with launching(tmp_path) as running:
        session = await running.start("named", name=name)
        assert running.arguments(session) == ["--name", name, "it's\n#SBATCH --partition=nowhere\n"]
        await running.ask("DELETE", session["id"])


async def test_a_job_cancelled_by_others_is_noticed(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("viewer")
        cluster.ask("scancel", f"--name={job_name(session['id'])}")
        await until(lambda: not running.launcher.sessions, 30)
        assert running.log(session).splitlines()[-1].endswith("ended: CANCELLED")


async def test_a_job_cancelled_in_the_queue_is_noticed(tmp_path: Path, cluster: Cluster) -> None:
    cluster.submit(f"--cpus-per-task={CPUS}")
    async with launching(tmp_path) as running:
        start = asyncio.create_task(running.post("viewer"))
        await until(lambda: len(cluster.names()) == 2, 30)
        cluster.ask("scancel", "--state=PENDING", "--me")
        status, answer = await start
        assert status == 503
        assert "ended: CANCELLED" in answer["log"]


async def test_the_time_limit_is_noticed(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path, time=1) as running:
        session = await running.start("viewer")
        cluster.ask("scontrol", "update", f"JobName={job_name(session['id'])}", "EndTime=now")
        await until(lambda: not running.launcher.sessions, 90)
        assert "TIMEOUT" in running.log(session)


async def test_nobody_else_sees_what_opens_a_session(tmp_path: Path, cluster: Cluster) -> None:
    async with launching(tmp_path) as running:
        session = await running.start("viewer")
        values = running.launcher.sessions[session["id"]].values
        seen = cluster.ask("scontrol", "--details", "show", "job")
        seen += cluster.ask("squeue", "--format=%all")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                seen += "\n".join(process.cmdline())
        assert job_name(session["id"]) in seen
        assert "viewer:app" in seen
        assert [name for name in ("id", "secret", "token") if values[name] in seen] == []

        scripts = list((cluster.directory / "spool").glob("job*/slurm_script"))
        logs = list((tmp_path / "log").glob("*.txt"))
        assert len(scripts) == 1
        assert len(logs) == 2
        assert [path for path in (*scripts, *logs) if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
        await running.ask("DELETE", session["id"])


async def test_one_question_for_all_sessions(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    wrap(tmp_path, monkeypatch, "squeue", f"echo >> {asked}; exec {{}}")
    async with launching(tmp_path) as running:
        await asyncio.gather(*(running.start("good") for _ in range(3)))
        before = asked.stat().st_size
        await asyncio.sleep(3)
        assert 0 < asked.stat().st_size - before <= 4
        await asyncio.gather(*(running.launcher.stop(one) for one in list(running.launcher.sessions)))
        before = asked.stat().st_size
        await asyncio.sleep(1.5)
        assert asked.stat().st_size == before


class TestRestart:
    async def test_a_session_is_found_again(self, tmp_path: Path, cluster: Cluster) -> None:
        async with Restarted(tmp_path) as launcher:
            session = await launcher.client.start("viewer")
            await launcher.kill()
            await launcher.start()
            assert await launcher.client.ask("GET", session["id"]) == (200, session)
            await works(launcher.client, session)
            assert (await launcher.client.ask("DELETE", session["id"]))[0] == 200
            assert cluster.names() == []

    async def test_a_session_that_ended_meanwhile(self, tmp_path: Path, cluster: Cluster) -> None:
        async with Restarted(tmp_path) as launcher:
            session = await launcher.client.start("viewer")
            await launcher.kill()
            cluster.clear()
            await launcher.start()
            assert (await launcher.client.ask("GET", session["id"]))[0] == 400

    async def test_a_job_that_waited_is_ended(self, tmp_path: Path, cluster: Cluster) -> None:
        cluster.submit(f"--cpus-per-task={CPUS}")
        async with Restarted(tmp_path) as launcher:
            start = asyncio.create_task(launcher.client.post("viewer"))
            await until(lambda: len(cluster.names()) == 2, 30)
            await launcher.kill()
            await asyncio.wait([start])
            start.exception()
            await launcher.start()
            assert len(cluster.names()) == 1

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_launcher_killed_while_it_submits(
        self, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        begun, go = tmp_path / "begun", tmp_path / "go"
        pause = f"touch {begun}; while [ ! -e {go} ]; do sleep 0.05; done"
        wrap(tmp_path, monkeypatch, "sbatch", f"{pause}; {{}}" if when == "before" else f"{{}}; {pause}")
        async with Restarted(tmp_path) as launcher:
            post = asyncio.create_task(launcher.client.post("viewer"))
            await until(begun.exists, 20)
            await launcher.kill()
            await asyncio.wait([post])
            post.exception()
            start = asyncio.create_task(launcher.start())
            # It waits for the submission that it has found.
            await asyncio.wait([start], timeout=3)
            assert not start.done()
            go.touch()
            await start
            assert cluster.names() == []
            assert last_job(cluster).startswith("wslink-")
            assert last_job(cluster).endswith(" CANCELLED")


class TestController:
    """slurmctld goes and comes back while a session runs."""

    async def test_sessions_go_on(self, tmp_path: Path, cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
        async with launching(tmp_path) as running:
            session = await running.start("viewer")
            with cluster.without_controller():
                await until(lambda: "Slurm does not answer" in caplog.text, 40)
                await works(running, session)
                status, answer = await running.post("viewer")
                assert status == 503
                assert "Unable to contact slurm controller" in answer["log"]
                stop = asyncio.create_task(running.ask("DELETE", session["id"]))
                await asyncio.sleep(1)
                assert not stop.done()
            assert (await stop)[0] == 200
            assert cluster.names() == []

    async def test_a_slow_one_changes_nothing(
        self, tmp_path: Path, cluster: Cluster, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with launching(tmp_path) as running:
            session = await running.start("viewer")
            with cluster.slow_controller():
                await until(lambda: "Slurm does not answer" in caplog.text, 60)
                await works(running, session)
            assert session["id"] in running.launcher.sessions
            assert (await running.ask("DELETE", session["id"]))[0] == 200
            assert cluster.names() == []

    async def test_a_launcher_started_meanwhile_has_its_sessions(self, tmp_path: Path, cluster: Cluster) -> None:
        async with Restarted(tmp_path) as launcher:
            session = await launcher.client.start("viewer")
            await launcher.kill()
            with cluster.without_controller():
                await launcher.start()
                await works(launcher.client, session)
            assert (await launcher.client.ask("DELETE", session["id"]))[0] == 200
            assert cluster.names() == []


class Restarted:
    """A launcher that can be killed and started again, and a client of the one that runs."""

    def __init__(self, directory: Path) -> None:
        self.launcher = LauncherProcess(directory, **settings(directory))

    async def __aenter__(self) -> Restarted:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.http.close()
        await self.launcher.terminate()

    async def start(self) -> None:
        self.client = await self.launcher.start()

    async def kill(self) -> None:
        await self.launcher.kill()
        await self.client.http.close()


def wrap(directory: Path, monkeypatch: pytest.MonkeyPatch, program: str, script: str) -> None:
    """Put a script in the place of a program; {} in it is the program with its arguments."""
    path = directory / "bin" / program
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n" + script.format(f'{shutil.which(program)} "$@"') + "\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
