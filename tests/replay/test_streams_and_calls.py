"""Items of streams, and calls of the server at its pages, in a recording that is played."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wslink import App, Call, CallError, MethodError, Recorder
from wslink.cli import main
from wslink.replay.app import Replay
from wslink.replay.tape import open_tape
from wslink.testing import replay
from wslink.wire import recording
from wslink.wire.recording import Reader

SECRET = "of-a-page"


@pytest.fixture
async def recorded(tmp_path: Path) -> Path:
    recorder = Recorder(leave_out=["page.secret"])
    app = App(recorder=recorder)
    lines = app.topic("demo.line")

    @app.method("mesh.refine")
    async def refine(levels: int, fails: bool = False) -> AsyncIterator[Any]:
        values = np.zeros(2, "<f4")
        for level in range(levels):
            values += 1
            yield {"level": level, "values": values}
            await asyncio.sleep(0.1)
        if fails:
            raise MethodError("too fine", code=7)

    @app.method("mesh.save")
    async def save(call: Call) -> Any:
        await call.client.call("page.secret", SECRET)
        lines.publish("before")
        answer = await call.client.call("page.confirm", np.arange(2, dtype="<i4"), question="save?")
        with pytest.raises(CallError):
            await call.client.call("page.absent")
        lines.publish("after")
        return answer

    handlers = {"page.confirm": lambda values, question: "yes", "page.secret": len}
    async with app.connect(handlers=handlers) as link, link.subscribe("demo.line"):
        assert [one["level"] async for one in link.stream("mesh.refine", 3)] == [0, 1, 2]
        with pytest.raises(CallError):
            async for _ in link.stream("mesh.refine", 1, fails=True):
                pass
        assert await link.call("mesh.save") == "yes"
        endless = link.stream("mesh.refine", 1000)
        await anext(endless)
        path = tmp_path / "run.wsrec"
        recorder.write(path)
        await endless.aclose()
    return path


async def test_they_are_records_of_their_own_kinds(recorded: Path) -> None:
    """REC-3, REC-5"""
    records = [(one.kind, recording.decode(one.message)) for one in Reader(recorded.read_bytes()) if one.message]
    (first, *_), items = (
        [one for kind, one in records if kind == recording.CALL and one["method"] == "mesh.refine"],
        [one for kind, one in records if kind == recording.ITEM],
    )
    assert first["stream"] >= 1
    assert [one["result"]["values"].tolist() for one in items if one["id"] == first["id"]] == [[1, 1], [2, 2], [3, 3]]
    asked = [one for kind, one in records if kind == recording.ASKED]
    assert [one["method"] for one in asked] == ["page.confirm", "page.absent"]
    assert asked[0]["kwargs"] == {"question": "save?"}
    replies = [one for kind, one in records if kind == recording.REPLY]
    assert [one["id"] for one in replies] == [one["id"] for one in asked]
    assert replies[0]["result"] == "yes"
    assert replies[1]["error"]["code"] == -32601
    assert SECRET.encode() not in recorded.read_bytes()


async def test_a_stream_gives_its_items_at_their_pace(recorded: Path) -> None:
    async with replay(recorded, speed=1) as link:
        began = time.monotonic()
        items = [one async for one in link.stream("mesh.refine", 3)]
        assert 0.15 < time.monotonic() - began < 5
    assert [one["values"].tolist() for one in items] == [[1, 1], [2, 2], [3, 3]]
    async with replay(recorded) as link:
        with pytest.raises(CallError, match="too fine") as failed:
            async for item in link.stream("mesh.refine", 1, fails=True):
                assert item["level"] == 0
        assert failed.value.code == 7
        assert [one["level"] async for one in link.stream("mesh.refine", 1000)] == [0]  # as far as it was recorded
        with pytest.raises(CallError, match="holds no response"):
            await anext(link.stream("mesh.refine", 5))
        with pytest.raises(CallError, match="link.stream"):
            await link.call("mesh.refine", 3)


async def test_the_command_says_what_it_does_not_play(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    app = App(recorder=recorder)
    app.method("demo.one")(lambda: 1)
    for _ in range(3):
        async with app.connect() as link:
            await link.call("demo.one")
    recorder.write(tmp_path / "three.wsrec")
    for file, options, said in [
        (tmp_path / "three.wsrec", [], "; 2 other clients are left out (--client ID, or --client all)"),
        (tmp_path / "three.wsrec", ["--client", "all"], ""),
        (recorded, [], ""),
    ]:
        (tmp_path / "www").mkdir(exist_ok=True)
        (tmp_path / "www/index.html").write_text("<p>")
        out = tmp_path / f"{file.stem}{len(options)}"
        assert main(["replay", str(file), *options, "--content", str(tmp_path / "www"), "--static", str(out)]) == 0
        first, *_ = capsys.readouterr().out.splitlines()
        assert first.endswith(f" s{said}")


@pytest.mark.parametrize("speed", [math.inf, 50, 0])
async def test_a_page_is_called_as_the_server_did(recorded: Path, speed: float) -> None:
    called: list[Any] = []

    def confirm(values: Any, question: str) -> None:
        called.append((values.tolist(), question))

    played = Replay(open_tape(recorded), speed=speed)
    async with played.app.connect(handlers={"page.confirm": confirm}) as link, link.subscribe("demo.line") as lines:
        if speed == 0:
            await link.call("wslink.replay.step", 2)
        assert [await asyncio.wait_for(anext(lines), 5) for _ in range(2)] == ["before", "after"]
        for _ in range(100):
            if called:
                break
            await asyncio.sleep(0.02)
        assert called == [([0, 1], "save?")]
    async with played.app.connect() as link, link.subscribe("demo.line") as lines:  # which handles nothing
        if speed == 0:
            await link.call("wslink.replay.step", 2)
        assert [await asyncio.wait_for(anext(lines), 5) for _ in range(2)] == ["before", "after"]
