"""The tutorials' programs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import wslink
from tests.docs.blocks import block

SIMULATION = "docs/tutorials/simulation.md"
KITCHEN = "docs/tutorials/fastapi.md"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The tutorial's server, in a directory with its page."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/index.html").write_text(block(SIMULATION, "html"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "server"}
    for number in range(3):
        exec(block(SIMULATION, "python", number), names)
    return names


async def test_the_plate_is_served_touched_and_seen(program: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    app = program["app"]
    serve, served = app.serve, asyncio.get_running_loop().create_future()

    async def on_a_free_port(**settings: Any) -> wslink.Server:
        server = await serve(**{**settings, "port": 0, "host": "127.0.0.1", "handle_signals": False, "ready_msg": ""})
        served.set_result(server)
        return server

    monkeypatch.setattr(app, "serve", on_a_free_port)
    running = asyncio.ensure_future(program["main"]())
    server = await served
    address = f"127.0.0.1:{server.port}"
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/") as response:
        assert "plate.field" in await response.text()
    async with wslink.connect(f"ws://{address}/ws", secret=app.secret) as link:
        fields = link.subscribe("plate.field")
        await link.call("plate.touch", 64, 64)
        assert await link.call("plate.rate", 7.0) == 0.25
        for _ in range(5):
            values = (await anext(fields))["values"]
            if values[64, 64] > 0.5:
                break
        assert values.shape == (128, 128)
        assert 0.5 < values[64, 64] <= 1
        with pytest.raises(wslink.CallError, match="float"):
            await link.call("plate.rate", "fast")
    await server.stop()
    await running


@pytest.mark.parametrize(("page", "module", "blocks"), [(SIMULATION, "server", 3), (KITCHEN, "main", 4)])
def test_the_tutorials_test_passes(page: str, module: str, blocks: int, tmp_path: Path) -> None:
    parts = [block(page, "python", number) for number in range(blocks + 1)]
    (tmp_path / f"{module}.py").write_text("\n".join(parts[:-1]))
    (tmp_path / f"test_{module}.py").write_text(parts[-1])
    command = next(line for line in block(page, "sh", 1).splitlines() if line.startswith("pytest")).split()
    run = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout
