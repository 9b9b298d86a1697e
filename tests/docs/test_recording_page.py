"""The blocks of docs/recording.md."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block
from tests.docs.programs import done, running
from wslink import App, CallError, Recorder
from wslink.replay.tape import open_tape
from wslink.wire.recording import Reader


async def test_a_recorder_keeps_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    page: dict[str, Any] = {}
    exec(block("docs/recording.md", "python"), page)
    async with page["app"].connect() as link:
        assert await link.call("terrain.light", 45) == 2
        assert await link.call("admin.save") == 3
        with pytest.raises(CallError):
            await link.call("terrain.light", 0)
    assert Reader(Path("run.wsrec").read_bytes()).about.reason == "asked for"
    page["recorder"].wait()
    (path,) = Path("recordings").iterdir()
    assert "ZeroDivisionError" in Reader(path.read_bytes()).about.reason


async def test_the_commands_and_the_test(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(secret="secret", recorder=Recorder())
    tiles = app.topic("terrain.tile")

    @app.method("terrain.light")
    def light(azimuth: float) -> float:
        tiles.publish(azimuth, {"row": 3})
        return 90 / azimuth

    url = await serve(app)
    monkeypatch.chdir(tmp_path)
    ring, seen = block("docs/recording.md", "bash").splitlines()
    environment = {"URL": url, "WSLINK_SECRET": "secret"}
    async with wslink.connect(url, secret="secret") as link:
        await link.call("terrain.light", 45)
        await done(tmp_path, "bash", "-c", ring, **environment)
        shorter = seen.replace("--seconds 10", "--count 1")
        recording = asyncio.ensure_future(done(tmp_path, "bash", "-c", shorter, **environment))
        while not recording.done():
            await link.call("terrain.light", 45)
            await asyncio.sleep(0.05)
    recording.result()
    assert [one.payload for one in open_tape("seen.wsrec").shown] == [45]
    page: dict[str, Any] = {}
    exec(block("docs/recording.md", "python", 1), page)
    await page["test_the_light_is_known"]()
    Path("www").mkdir()
    Path("www", "index.html").write_text("<title>the page</title>")
    assert "1 pages" in await done(tmp_path, "bash", "-c", block("docs/recording.md", "bash", 2))
    assert Path("site", "wslink", "recording.wsrec").stat().st_size
    command = block("docs/recording.md", "bash", 1).replace("8080", "0")
    async with running(tmp_path, command) as port:
        assert "the page" in await done(tmp_path, "curl", "--silent", f"http://localhost:{port}/")
