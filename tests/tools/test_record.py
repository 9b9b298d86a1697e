"""`wslink record` and `wslink replay`, as commands."""

from __future__ import annotations

import asyncio
import re
import stat
import sys
from pathlib import Path

import pytest

import wslink
from tests.conftest import Serve
from tests.tools.test_commands import ROOT, run
from wslink import App, Recorder
from wslink.cli import main
from wslink.replay.tape import open_tape


def app(recorder: Recorder | None = None) -> App:
    app = App(secret="secret", recorder=recorder)
    tiles = app.topic("terrain.tile", delivery="latest")
    app.topic("terrain.note")

    @app.method("terrain.light")
    def light(azimuth: float) -> float:
        tiles.publish({"azimuth": azimuth}, {"row": 3})
        return azimuth

    return app


async def test_what_a_server_publishes_is_recorded_and_replayed(serve: Serve, tmp_path: Path) -> None:
    url, path = f"{await serve(app())}?secret=secret", tmp_path / "run.wsrec"
    path.write_text("of others")
    path.chmod(0o644)
    recording = asyncio.ensure_future(run("record", url, "-o", str(path), "--count", "3", "--filter", "row=3"))
    async with wslink.connect(url, secret="secret") as link:
        while not recording.done():
            await link.call("terrain.light", 315)
            await asyncio.sleep(0.05)
    code, out, err = await recording
    assert (code, err) == (0, "")
    assert "recording terrain.note, terrain.tile" in out
    assert "3 publications" in out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    tape = open_tape(path)
    assert tape.about.source == "client"
    assert tape.topics == {"terrain.tile": "latest", "terrain.note": "reliable"}
    assert [one.payload for one in tape.shown] == [{"azimuth": 315}] * 3
    await replayed(path)


async def replayed(path: Path) -> None:
    """It is served, and tags that are not known keep nothing from anybody, but what the payload says does."""
    command = (sys.executable, "-m", "wslink", "replay", str(path), "--port", "0", "--speed", "max")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={"WSLINK_SECRET": "other"}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(3)]
    assert "3 publications and 0 calls of all" in said[0]
    page = re.search(r"serving on (\S+)", " ".join(said))
    assert page is not None
    url = page[1].replace("http:", "ws:").replace("/?secret=other", "/ws")
    async with wslink.connect(url, secret="other") as link, link.subscribe("terrain.tile", filter={"row": 5}) as tiles:
        assert await anext(tiles) == {"azimuth": 315}
        async with link.subscribe("terrain.tile", filter={"not": {"azimuth": 315}}) as others:
            await link.call("wslink.replay.state")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(others), 0.1)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_what_a_server_has_recorded_is_fetched(serve: Serve, tmp_path: Path) -> None:
    url, path = await serve(app(Recorder())), tmp_path / "run.wsrec"
    async with wslink.connect(url, secret="secret") as link:
        assert await link.call("terrain.light", 45) == 45
        code, out, err = await run("record", url, "--secret", "secret", "--ring", "-o", str(path))
    assert (code, err) == (0, "")
    assert "run.wsrec" in out
    assert [method for method, _ in open_tape(path).same] == ["terrain.light"]


async def test_they_say_what_went_wrong(serve: Serve, tmp_path: Path) -> None:
    url, path = await serve(app()), tmp_path / "run.wsrec"
    for arguments, why in [
        (["record", url, "--secret", "secret", "--ring", "-o", str(path)], "Unregistered method called"),
        (["record", url, "--secret", "secret", "--topic", "a.*", "-o", str(path)], "'a.*' is not the name of a topic"),
        (["record", url, "--secret", "wrong", "-o", str(path)], "refused the secret"),
    ]:
        code, _, err = await run(*arguments)
        assert code == 1
        assert why in err
        assert not path.exists()


@pytest.mark.parametrize(("file", "why"), [("nowhere.wsrec", "No such file"), ("README.md", "does not begin as one")])
def test_replay_says_what_is_no_recording(file: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(ROOT / file)]) == 1
    assert why in capsys.readouterr().err
