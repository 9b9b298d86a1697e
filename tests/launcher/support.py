"""A launcher in this process or in one of its own, and the applications that it starts."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import psutil
from aiohttp import web

from wslink.launcher.configuration import with_environment
from wslink.launcher.launcher import Launcher
from wslink.launcher.service import Service
from wslink.launcher.spawners.tree import MARK
from wslink.launcher.validation import convert

READY = "print('it is ready', flush=True)"
SLEEP = "import time; time.sleep(60)"
LISTEN = f"import socket; s = socket.create_server(('127.0.0.1', PORT)); {READY}; {SLEEP}"
PYTHON = [sys.executable, "-S", "-E", "-c"]

RUN = "WSLINK_TEST_RUN"
os.environ[RUN] = str(os.getpid())  # every process that a test starts inherits it: other runs' are not counted


def app(program: str, *arguments: str, ready_line: str | None = "it is ready", **more: Any) -> dict[str, Any]:
    """An application that is a Python program."""
    chosen = {} if ready_line is None else {"ready_line": ready_line}
    return {"cmd": [*PYTHON, program, *arguments], **chosen, **more}


def arguments_app(*arguments: str, **more: Any) -> dict[str, Any]:
    """Writes its arguments, as JSON, and is ready."""
    return app(
        f"import sys, json; print('got', json.dumps(sys.argv[1:]), flush=True); {READY}; {SLEEP}", *arguments, **more
    )


FAMILY = f"""
import subprocess, sys, time
sleeper = [sys.executable, '-S', '-c', 'import time; time.sleep(60)']
daemon = f"import subprocess; subprocess.Popen({{sleeper}}, start_new_session=True)"
subprocess.Popen(sleeper)
subprocess.run([sys.executable, '-S', '-c', daemon], start_new_session=True)
{READY}; {SLEEP}
"""

APPS: dict[str, dict[str, Any]] = {
    "good": app(f"{READY}; {SLEEP}"),
    "secret": arguments_app("${secret}"),
    "named": arguments_app("--name", "${name}", "--at", "${directory}/${file}"),
    "listening": app(LISTEN.replace("PORT", "int(__import__('sys').argv[1])"), "${port}", ready_line=None),
    "failing": app("import sys; print('the reason', sys.argv[1]); sys.exit(3)", "${secret}"),
    "instant": app("pass"),
    "hanging": app(SLEEP),
    "ends": app(f"{READY}; import time; time.sleep(0.3)"),
    "missing": {"cmd": ["/does/not/exist", "${secret}"], "ready_line": "it is ready"},
    "stubborn": app(f"import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; {READY}; {SLEEP}"),
    # A child in a Unix session of its own, whose parent ends: neither descent nor the session's number leads to it.
    "family": app(FAMILY),
}


def configuration(
    directory: Path, *, apps: Mapping[str, Any] = APPS, ports: int = 4, **settings: Any
) -> dict[str, Any]:
    """A configuration as a file holds it."""
    first = random.randrange(20000, 30000, 200)
    properties = settings.pop("properties", {"directory": str(directory)})
    session_data = settings.pop("sessionData", {})
    return {
        "configuration": {
            "host": "127.0.0.1",
            "port": 0,
            "endpoint": "paraview",
            "proxy_file": str(directory / "proxy.txt"),
            "sessionURL": "ws://USE_HOST/paraview/session/${id}/${token}/ws",
            "timeout": 5,
            "log_dir": str(directory / "log"),
            "fields": ["port"],
            "stop_grace": 0.5,
            "get": True,
            "delete": True,
            **settings,
        },
        "resources": [{"host": "127.0.0.1", "port_range": [first, first + ports - 1]}],
        "properties": properties,
        "sessionData": session_data,
        "apps": dict(apps),
    }


class Client:
    """A client of a launcher."""

    def __init__(self, url: str, endpoint: str = "/paraview") -> None:
        self.url, self.endpoint = url, endpoint
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())

    async def ask(self, method: str, path: str = "", **options: Any) -> tuple[int, Any]:
        async with self.http.request(method, f"{self.url}{self.endpoint}/{path}", **options) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else text

    async def post(self, application: str, headers: Mapping[str, str] | None = None, **values: Any) -> tuple[int, Any]:
        return await self.ask("POST", json={"application": application, **values}, headers=headers)

    async def start(self, application: str, **values: Any) -> dict[str, Any]:
        """A session that has started."""
        status, session = await self.post(application, **values)
        assert status == 200, session
        return session


class Running(Client):
    """A launcher of this process, and a client of it."""

    def __init__(self, url: str, launcher: Launcher, directory: Path) -> None:
        super().__init__(url, launcher.configuration.endpoint)
        self.launcher, self.directory = launcher, directory

    def log(self, session: Mapping[str, Any]) -> str:
        return (self.directory / "log" / f"{session['id']}.txt").read_text()

    def arguments(self, session: Mapping[str, Any]) -> list[str]:
        """What an `arguments_app` was started with."""
        line = next(line for line in self.log(session).splitlines() if line.startswith("got "))
        return json.loads(line.removeprefix("got "))

    def free_ports(self) -> int:
        return self.launcher._ports.free


@asynccontextmanager
async def launching(directory: Path, **settings: Any) -> AsyncIterator[Running]:
    """A launcher of this process, until the block ends."""
    launcher = Launcher(with_environment(convert(configuration(directory, **settings)), {}))
    runner = web.AppRunner(Service(launcher).application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", launcher.configuration.settings.port).start()
    running = Running(f"http://127.0.0.1:{runner.addresses[0][1]}", launcher, directory)
    try:
        yield running
    finally:
        await running.http.close()
        await runner.cleanup()


class LauncherProcess:
    """A launcher as a process of its own, that can be killed and started again.

    Attributes:
        started: every process; tests/launcher/conftest.py ends those that a failed test left.
    """

    started: ClassVar[list[asyncio.subprocess.Process]] = []

    def __init__(self, directory: Path, **settings: Any) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.path = directory / "config.json"
        self.path.write_text(json.dumps(configuration(directory, **settings)))

    async def start(self, command: Sequence[str] = (sys.executable, "-m", "wslink.launcher"), **options: Any) -> Client:
        self.process = await asyncio.create_subprocess_exec(
            *(*command, str(self.path)), stdout=asyncio.subprocess.PIPE, **options
        )
        self.started.append(self.process)
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        return Client(f"http://{line.decode().split()[-1]}")

    async def kill(self) -> None:
        self.process.kill()
        await self.end()

    async def terminate(self) -> None:
        self.process.terminate()
        await self.end()

    async def end(self) -> None:
        assert self.process.stdout is not None
        await asyncio.wait_for(self.process.wait(), 20)
        while await self.process.stdout.read():
            pass


def processes(session_id: str | None = None) -> list[int]:
    """The processes of this test run that have a session's mark, or any session's."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            mark = environment.get(MARK)
            ours = environment.get(RUN) == os.environ[RUN]
            if mark and ours and session_id in (None, mark) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
