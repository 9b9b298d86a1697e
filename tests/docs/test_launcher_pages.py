"""The blocks of docs/launcher.md, in a directory, with ports of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.docs.blocks import ROOT, block
from tests.docs.programs import done, running
from tests.ports import free_port

PAGE = "docs/launcher.md"
TERRAIN = """
from wslink import App

app = App()
app.method("terrain.light")(lambda azimuth: azimuth + 1)
"""
VIEWER = """
import os

from wslink import App

app = App(secret=os.environ["VIEWER_KEY"])
app.method("viewer.add")(lambda one, two: one + two)
"""
CHECK, LAUNCH = (block(PAGE, "bash").splitlines()[line].partition("  #")[0] for line in (1, 0))


def prepare(directory: Path, changes: dict[str, str], more: str = "") -> int:
    """Write the page's example and its application; the launcher's port."""
    port, first = free_port(), free_port()
    ports = {"port = 9000": f"port = {port}", "[9001, 9100]": f"[{first}, {first + 3}]"}
    text = block(PAGE, "toml")
    for old, new in {**ports, **changes}.items():
        assert old in text
        text = text.replace(old, new)
    (directory / "launcher.toml").write_text(text + more)
    (directory / "terrain.py").write_text(TERRAIN)
    return port


async def start(port: int, application: str) -> dict[str, str]:
    url, body = f"http://localhost:{port}/viewers/", {"application": application}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        assert response.status == 200, await response.text()
        session: dict[str, str] = await response.json()
    return {**session, "sessionURL": session["sessionURL"].replace("USE_HOST", f"localhost:{port}")}


async def test_the_commands_serve_the_example(tmp_path: Path) -> None:
    port = prepare(tmp_path, {})
    assert "terrain" in await done(tmp_path, *CHECK.split())
    async with running(tmp_path, LAUNCH):
        session = await start(port, "terrain")
        async with wslink.connect(session["sessionURL"], secret=session["secret"]) as link:
            assert await link.call("terrain.light", 314) == 315


async def test_the_administrator_asks_from_a_shell(tmp_path: Path) -> None:
    token = tmp_path / "admin-token"
    token.write_text("a-token-of-the-administrator\n")
    token.chmod(0o600)
    fragment = block(PAGE, "toml", 1).replace("/etc/wslink/admin-token", str(token))
    port = prepare(tmp_path, {"[configuration]\n": f"[configuration]\n{fragment}"})
    curl = block(PAGE, "bash", 1).replace("/etc/wslink/admin-token", str(token)).replace(":9000", f":{port}")
    async with running(tmp_path, LAUNCH):
        session = await start(port, "terrain")
        sessions = json.loads(await done(tmp_path, "bash", "-c", f"exec {curl.replace('curl', 'curl -s', 1)}"))
    assert session["id"][:8] in json.dumps(sessions)


async def test_a_page_starts_a_session(tmp_path: Path) -> None:
    port = prepare(tmp_path, {})
    here = f"http://localhost:{port}"
    (tmp_path / "client.js").write_bytes((ROOT / "js" / "dist" / "client.js").read_bytes())
    (tmp_path / "node_modules").symlink_to(ROOT / "js" / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    script = block(PAGE, "js").replace("/wslink/client.js", "./client.js").replace('"viewers/"', f'"{here}/viewers/"')
    # What browsers have, and Node 20 has not.
    shown = 'import { WebSocket } from "ws";\nglobalThis.WebSocket ??= WebSocket;\n'
    shown += "const states = []; const show = (state) => states.push(state);\n"
    end = 'console.log(JSON.stringify([states, await link.call("terrain.light", [1])])); await link.close();\n'
    (tmp_path / "page.js").write_text(shown + script + end)
    async with running(tmp_path, LAUNCH):
        states, lit = json.loads(await done(tmp_path, "node", "page.js"))
    assert states[0] == "starting"
    assert lit == 2


@pytest.mark.parametrize("engine", ["docker", "kubectl"])
async def test_engines_are_driven_as_configured(tmp_path: Path, engine: str) -> None:
    application = block(PAGE, "toml", 2)
    if engine == "kubectl":
        options = "[apps.viewer.options]"
        application = application.split(options)[0] + block(PAGE, "toml", 3)
        assert options in application
    port = prepare(tmp_path, {}, f"\n{application}")
    programs = {engine: f'{sys.executable} {ROOT}/tests/docs/engine.py {engine} "$@"'}
    programs["viewer"] = f'{sys.executable} -m wslink serve viewer:app "$@"'
    for name, command in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexec {command}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "viewer.py").write_text(VIEWER)
    async with running(tmp_path, f"env PATH={tmp_path}:$PATH PYTHONPATH={tmp_path} {LAUNCH}"):
        session = await start(port, "viewer")
        async with wslink.connect(session["sessionURL"], secret=session["secret"]) as link:
            assert await link.call("viewer.add", 1, 2) == 3
    [pid] = tmp_path.glob("*.pid")
    state = Path(f"/proc/{pid.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z", "the launcher's end ends its sessions"
