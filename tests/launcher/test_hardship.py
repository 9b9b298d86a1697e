"""What may befall a launcher's machine: other users, a full disk, sessions that write without end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.support import APPS, READY, SLEEP, LauncherProcess, app, launching, processes
from tests.waiting import until
from wslink.launcher.listeners import ForeignListener, reach, user_of_listener

needs_two_users = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None, reason="two users are needed"
)
NOBODY = 65534


@contextlib.contextmanager
def foreign(address: str, port: int) -> Iterator[None]:
    """A process of another user that listens on a port."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    program = (
        f"import socket, os; os.setuid({NOBODY}); "
        f"s = socket.create_server(({address!r}, {port}), family=socket.{family}); print('listens', flush=True)\n"
        "while True: c, _ = s.accept(); c.send(b'HTTP/1.1 200 OK\\r\\nX-Whose: nobody\\r\\n\\r\\n')"
    )
    process = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listens\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@needs_two_users
class TestOtherUsers:
    async def test_what_listens_before_a_session_is_not_taken_for_it(self, tmp_path: Path) -> None:
        for ready_line in (None, "it is ready"):
            apps = {"late": app(f"{READY}; {SLEEP}", ready_line=ready_line)}
            async with launching(tmp_path, apps=apps, ports=1, timeout=1) as running:
                port = running.launcher.configuration.resources[0].port_range[0]
                starting = asyncio.create_task(running.post("late"))
                await until(lambda r=running: r.launcher.sessions)
                with foreign("127.0.0.1", port):
                    code, answer = await starting
                assert code == 503
                assert answer["error"] == "Another user's process listens on the session's port."

    async def test_localhost_leads_to_the_session_whatever_else_listens(self, tmp_path: Path) -> None:
        listen = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))"
        answer = (
            "c, _ = s.accept(); c.recv(9999); c.send(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n'); c.close()"
        )
        apps = {"one": app(f"{listen}; {READY}\nwhile True: {answer}", "${port}")}
        async with launching(tmp_path, apps=apps) as running:
            resources = running.launcher._ports._free
            resources["localhost"] = resources.pop("127.0.0.1")
            session = await running.start("one")
            (only,) = running.launcher.sessions.values()
            path = session["sessionURL"].removeprefix("ws://USE_HOST").removesuffix("ws")
            with foreign("::1", only.address[1]):
                async with running.http.get(f"{running.url}{path}") as response:
                    assert (response.status, response.headers.get("X-Whose")) == (200, None)

    async def test_a_session_whose_port_is_anothers_is_not_reached(self, tmp_path: Path) -> None:
        async with launching(tmp_path, apps={"good": APPS["good"]}) as running:
            session = await running.start("good")
            (only,) = running.launcher.sessions.values()
            path = session["sessionURL"].removeprefix("ws://USE_HOST").removesuffix("ws")
            with foreign("127.0.0.1", only.address[1]):
                assert user_of_listener("127.0.0.1", only.address[1]) == NOBODY
                with pytest.raises(ForeignListener):
                    await reach("localhost", only.address[1], ())
                for headers in ({}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
                    async with running.http.get(f"{running.url}{path}", headers=headers) as response:
                        assert (response.status, "X-Whose" in response.headers) == (502, False)
            assert user_of_listener("127.0.0.1", only.address[1]) is None


async def test_a_new_proxy_file_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "proxy.txt"
    async with launching(tmp_path, apps={"good": APPS["good"]}) as running:
        await running.start("good")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        await running.start("good")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


class FullDisk:
    """Lets a process write no file, as a full disk does."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        _, hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (0, hard))

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux can limit another process")
class TestFullDisk:
    @pytest.fixture
    def process(self, tmp_path: Path) -> LauncherProcess:
        (tmp_path / "token").write_text("the administrator's-token".replace(" ", "-"))
        apps = {"good": APPS["good"], "listening": APPS["listening"], "secret": app(SLEEP, env={"A": "${secret_file}"})}
        return LauncherProcess(tmp_path, apps=apps, admin_token_file=str(tmp_path / "token"))

    async def test_a_moment_of_it_leaves_nothing_behind(self, process: LauncherProcess) -> None:
        client = await process.start()
        admin = {"Authorization": "Bearer the-administrator's-token"}
        old, other = [await client.start("good") for _ in range(2)]
        with FullDisk(process.process.pid):
            assert (await client.ask("DELETE", old["id"]))[0] == 200
            assert (await client.post("secret"))[0] == 503
            assert (await client.post("listening"))[0] in (200, 503)
            _, listed = await client.ask("GET", headers=admin)
            assert old["id"] not in {one["id"] for one in listed["sessions"]}
            assert all(one["state"] in ("ready", "starting") for one in listed["sessions"])
        new = await client.start("good")
        await asyncio.sleep(1.2)  # what could not be written is
        assert new["id"] in (process.directory / "proxy.txt").read_text()
        await client.http.close()
        await process.kill()
        client = await process.start()
        assert (await client.ask("GET", new["id"]))[0] == 200
        assert (await client.ask("GET", old["id"]))[0] == 400
        await client.ask("DELETE", other["id"])
        await client.http.close()
        await process.terminate()
        assert processes() == []

    async def test_a_signal_ends_everything_all_the_same(self, process: LauncherProcess) -> None:
        client = await process.start()
        for _ in range(3):
            await client.start("good")
        await client.http.close()
        with FullDisk(process.process.pid):
            await process.terminate()
        assert process.process.returncode == 0
        assert processes() == []


class TestLogs:
    async def test_a_log_has_a_bound_and_keeps_its_end(self, tmp_path: Path) -> None:
        program = (
            f"import os, time; {READY}\n"
            "for n in range(400): os.write(1, b'x' * 99_999 + b'\\n'); time.sleep(0.002)\n"
            f"print('the end', flush=True); {SLEEP}"
        )
        async with launching(tmp_path, apps={"chatty": app(program)}, log_limit=2**20) as running:
            session = await running.start("chatty")
            path = tmp_path / "log" / f"{session['id']}.txt"
            await until(lambda: path.read_bytes().endswith(b"the end\n"), 20)
            await until(lambda: path.stat().st_size <= 2**20)
            text = path.read_bytes()
            assert text.startswith(b"[the launcher has left out ")
            assert text.endswith(b"the end\n")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_older_parts_are_kept_up_to_their_number(self, tmp_path: Path) -> None:
        program = (
            f"import time; {READY}\n"
            "for n in range(3000): print(n, 'x' * 90, flush=n % 10 == 0); n % 10 or time.sleep(0.004)\n"
            f"print('the end', flush=True); {SLEEP}"
        )
        async with launching(
            tmp_path, apps={"chatty": app(program)}, log_limit=2**15, log_parts=2, keep_logs=0
        ) as running:
            session = await running.start("chatty")
            path = tmp_path / "log" / f"{session['id']}.txt"
            await until(lambda: path.read_bytes().endswith(b"the end\n"), 20)
            await until(lambda: path.stat().st_size <= 2**15)
            parts = [path.with_suffix(f".{number}.txt") for number in (2, 1)]
            assert sorted(path.parent.glob(f"{session['id']}*")) == sorted([path, *parts])
            assert all(
                0 < part.stat().st_size <= 2**15 and stat.S_IMODE(part.stat().st_mode) == 0o600 for part in parts
            )
            # What is kept goes on where the older part ends.
            lines = (parts[1].read_text() + path.read_text()).splitlines()
            numbers = [int(line.split()[0]) for line in lines if line[0].isdigit()]
            assert len(set(numbers)) == len(numbers)
            # But for what is written just while a log is cut, which may be lost.
            assert len(numbers) > 0.8 * (3000 - min(numbers))
            await running.ask("DELETE", session["id"])
            assert list(path.parent.glob(f"{session['id']}*")) == []

    async def test_a_ready_line_behind_a_flood_is_found(self, tmp_path: Path) -> None:
        program = (
            f"import os, time\nfor _ in range(60): os.write(1, b'x' * 100_000); time.sleep(0.01)\n{READY}; {SLEEP}"
        )
        async with launching(tmp_path, apps={"chatty": app(program)}, log_limit=2**18) as running:
            await running.start("chatty")

    async def test_logs_stay_for_a_while(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wslink.launcher.logs.PURGE_INTERVAL", 0.1)
        foreign_file = tmp_path / "log" / "notes.txt"
        async with launching(tmp_path, apps={"good": APPS["good"]}, keep_logs=60) as running:
            foreign_file.write_text("somebody's")
            first, second, third = [await running.start("good") for _ in range(3)]
            for session in (first, second):
                await running.ask("DELETE", session["id"])
            old = [tmp_path / "log" / f"{one['id']}.txt" for one in (first, third)]
            for path in (*old, foreign_file):
                os.utime(path, (1, 1))
            await until(lambda: not old[0].exists())
            assert (tmp_path / "log" / f"{second['id']}.txt").exists()
            assert old[1].exists()  # its session runs
            assert foreign_file.exists()

    async def test_logs_go_with_their_sessions_where_none_are_kept(self, tmp_path: Path) -> None:
        async with launching(tmp_path, apps={"good": APPS["good"]}, keep_logs=0) as running:
            session = await running.start("good")
            path = tmp_path / "log" / f"{session['id']}.txt"
            assert path.exists()
            await running.ask("DELETE", session["id"])
            await until(lambda: not path.exists())


CUT_OFF: list[bytes] = [
    b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\nabcd",
    b"\x01\x02\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nX\x01: y\r\n\r\n",
]


async def test_clients_that_leave_or_babble_write_no_traceback(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]})
    client = await process.start(stderr=asyncio.subprocess.PIPE)
    session = await client.start("good")
    path = session["sessionURL"].removeprefix("ws://USE_HOST").removesuffix("ws")
    through = f"PUT {path}x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1".encode()
    host, port = client.url.removeprefix("http://").split(":")
    for data in (*CUT_OFF, through) * 3:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        await asyncio.sleep(0.05)
        writer.transport.abort()
    await client.http.close()
    await asyncio.sleep(0.2)
    process.process.terminate()
    _, errors = await process.process.communicate()
    assert errors == b""
    log = (tmp_path / "log" / "launcherLog.log").read_text()
    assert "Traceback" not in log
    assert len(log.splitlines()) < 40
