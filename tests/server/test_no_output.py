"""Servers whose standard output is missing or closed: windowed programs, services, pipes whose reader has gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port

APP = "from wslink import App\napp = App(secret='secret')\n"
LAUNCHER = """
properties = {{}}
resources = [{{ host = "127.0.0.1", port_range = [9001, 9002] }}]

[configuration]
host = "127.0.0.1"
port = {port}
endpoint = "start"
proxy_file = ""
sessionURL = "ws://USE_HOST/start/session/${{id}}/${{token}}/ws"
timeout = 5
log_dir = "."
fields = ["id"]

[apps.nothing]
cmd = ["true"]
"""


def app_run(directory: Path, port: int) -> list[str]:
    (directory / "run.py").write_text(f"{APP}app.run(port={port}, host='127.0.0.1')\n")
    return ["run.py"]


def serve(directory: Path, port: int) -> list[str]:
    (directory / "viewer.py").write_text(APP)
    return ["-m", "wslink", "serve", "viewer:app", "-p", str(port), "-i", "127.0.0.1"]


def launcher(directory: Path, port: int) -> list[str]:
    (directory / "launcher.toml").write_text(LAUNCHER.format(port=port))
    return ["-m", "wslink", "launch", "launcher.toml"]


def relay(directory: Path, port: int) -> list[str]:
    return ["-m", "wslink", "relay", "--host", "127.0.0.1", "-p", str(port)]


def start_webserver(directory: Path, port: int) -> list[str]:
    return ["-m", "wslink.server", "--port", str(port), "--host", "127.0.0.1"]


WITHOUT = {
    "closed": "exec {command} >&- 2>&-",
    "half closed": "exec {command} >&-",
    "full": "exec {command} >/dev/full 2>/dev/full",
}
PROGRAMS = [app_run, serve, launcher, relay, start_webserver]


def accepts(port: int, process: subprocess.Popen[bytes], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def ends_well(process: subprocess.Popen[bytes], port: int, allowed: tuple[int, ...] = (0,)) -> None:
    try:
        assert accepts(port, process), process.communicate(timeout=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in allowed
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("how", WITHOUT.values(), ids=list(WITHOUT))
def test_a_server_starts_without_a_standard_output(
    tmp_path: Path, program: Callable[[Path, int], list[str]], how: str
) -> None:
    port = free_port()
    command = " ".join([sys.executable, *program(tmp_path, port)])
    process = subprocess.Popen(how.format(command=command), shell=True, cwd=tmp_path)
    # 120: Python cannot write what the application itself left in a buffer.
    ends_well(process, port, (0, 120) if "/dev/full" in how else (0,))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_server_starts_though_nobody_reads_its_output(
    tmp_path: Path, program: Callable[[Path, int], list[str]]
) -> None:
    port = free_port()
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, *program(tmp_path, port)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    ends_well(process, port)


@pytest.mark.parametrize("stdout", ["None", "Bare()", "closed()", "ascii()"])
def test_an_application_may_replace_its_standard_output(tmp_path: Path, stdout: str) -> None:
    port = free_port()
    (tmp_path / "run.py").write_text(
        f"""
import io, os, sys
class Bare:
    flush = list
def closed():
    stream = io.StringIO()
    stream.close()
    return stream
def ascii():
    return io.TextIOWrapper(open(os.devnull, "wb"), encoding="ascii")
sys.stdout = {stdout}
{APP}app.run(port={port}, host="127.0.0.1", ready_msg="pr\\u00eat")
"""
    )
    ends_well(subprocess.Popen([sys.executable, "run.py"], cwd=tmp_path), port)
