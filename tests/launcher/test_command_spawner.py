"""Sessions that an engine runs: a program that starts, asks and stops real processes, with a queue before them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import PYTHON, READY, SLEEP, LauncherProcess, launching, processes
from tests.waiting import until
from wslink.errors import UsageError

#: Keeps a directory per session, whose name is the session's id. What it starts does not inherit the launcher's mark.
ENGINE = """
import json, os, pathlib, signal, subprocess, sys, time
verb, directory, name, *rest = sys.argv[1:]
job = pathlib.Path(directory) / name
if verb == "start":
    job.mkdir(parents=True)
    queue = "import os, sys, time; time.sleep(1.5); open('running', 'w').close(); os.execvp(sys.argv[1], sys.argv[1:])"
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WSLINK_LAUNCHER")}
    process = subprocess.Popen([sys.executable, "-S", "-c", queue, *rest], cwd=job, stdout=open(job / "out", "w"),
                               stderr=subprocess.STDOUT, env=clean, start_new_session=True)
    (job / "pid").write_text(str(process.pid))
    print("Submitted.")
    print(process.pid)
elif verb == "refuse":
    sys.exit("there is no such queue")
elif verb == "poll":
    state = pathlib.Path(f"/proc/{rest[0]}/stat")
    sys.exit(0 if state.exists() and state.read_text().split()[2] != "Z" else 1)
elif verb == "stop":
    try:
        os.kill(int((job / "pid").read_text()), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass
elif verb == "log":
    if not (job / "running").exists():
        sys.exit("it is waiting to start")
    with open(job / "out") as file:
        while True:
            print(file.read(), end="", flush=True)
            time.sleep(0.02)
elif verb == "waits":
    print("" if (job / "running").exists() else "the queue")
elif verb == "address":
    print("127.0.0.1:" + rest[0] if (job / "running").exists() else "nowhere")
"""


def apps(directory: Path, start: str = "start") -> dict[str, Any]:
    path = directory / "engine.py"
    path.write_text(ENGINE)

    def ask(verb: str, *arguments: str) -> list[str]:
        return [sys.executable, "-S", str(path), verb, str(directory / "jobs"), "${id}", *arguments]

    options = {
        "start": ask(start, "${command}"),
        "poll": ask("poll", "${handle}"),
        "stop": ask("stop"),
        "log": ask("log"),
        "address": ask("address", "${port}"),
        "waits": ask("waits"),
    }
    program = f"import os; print(os.environ['KEY'], flush=True); {READY}; {SLEEP}"
    app = {"cmd": [*PYTHON, program, "${port}"], "ready_line": "it is ready", "env": {"KEY": "${secret}"}}
    return {"queued": {**app, "spawner": "command", "options": options}}


def pid_of(directory: Path, session: dict[str, Any]) -> int:
    return int((directory / "jobs" / session["id"] / "pid").read_text())


def alive(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().split()[2] != "Z"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"apps": apps(tmp_path), "timeout": 15}


async def test_from_start_to_end(tmp_path: Path, settings: dict[str, Any]) -> None:
    async with launching(tmp_path, **settings) as running:
        session = await running.start("queued")
        assert running.log(session).split("\n")[0] == session["secret"]
        pid = pid_of(tmp_path, session)
        assert alive(pid)
        assert (await running.ask("DELETE", session["id"]))[0] == 200
        assert not alive(pid)
        assert processes(session["id"]) == []


async def test_what_it_waits_for_is_told(tmp_path: Path, settings: dict[str, Any]) -> None:
    from tests.launcher.test_watching import events

    async with launching(tmp_path, **settings) as running:
        told = await events(running, "queued")
        assert next(kind for kind, _ in told) == "starting"
        assert ("waiting", {"for": "the queue"}) in told
        assert told[-1][0] == "ready"


async def test_a_session_that_ends_is_reaped(tmp_path: Path, settings: dict[str, Any]) -> None:
    import os
    import signal

    async with launching(tmp_path, **settings) as running:
        session = await running.start("queued")
        os.kill(pid_of(tmp_path, session), signal.SIGKILL)
        await until(lambda: not running.launcher.sessions, 10)
        assert processes(session["id"]) == []


async def test_an_engine_that_refuses(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=apps(tmp_path, "refuse")) as running:
        status, answer = await running.post("queued")
        assert (status, answer["exitCode"], answer["log"].strip()) == (503, 1, "there is no such queue")
        assert running.free_ports() == 4


async def test_a_restarted_launcher_finds_it(tmp_path: Path, settings: dict[str, Any]) -> None:
    launcher = LauncherProcess(tmp_path, **settings)
    client = await launcher.start()
    session = await client.start("queued")
    await client.http.close()
    await launcher.kill()
    client = await launcher.start()
    assert await client.ask("GET", session["id"]) == (200, session)
    assert (await client.ask("DELETE", session["id"]))[0] == 200
    assert not alive(pid_of(tmp_path, session))
    await client.http.close()
    await launcher.terminate()


async def test_options_that_are_missing(tmp_path: Path, settings: dict[str, Any]) -> None:
    del settings["apps"]["queued"]["options"]["stop"]
    with pytest.raises(UsageError, match=r"options\.stop"):
        async with launching(tmp_path, **settings):
            pass
