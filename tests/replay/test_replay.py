"""Recordings that are played to clients and tests."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wslink
from tests.conftest import Open, Serve
from tests.wire.test_vectors import plain
from wslink import App, CallError, Link, MethodError, Recorder, UsageError
from wslink.replay.app import Replay
from wslink.replay.static import export, pieces
from wslink.replay.tape import open_tape
from wslink.testing import replay
from wslink.wire import recording
from wslink.wire.recording import About, RecordingError


def app(recorder: Recorder) -> App:
    app = App(recorder=recorder)
    tiles = app.topic("demo.tile", delivery="latest")
    lines = app.topic("demo.line")
    app.topic("demo.quiet")
    turns = []

    @app.method("demo.turn")
    def turn(by: float, options: dict[str, Any] | None = None) -> dict[str, Any]:
        turns.append(by)
        return {"number": len(turns), "mesh": np.arange(6, dtype="<f4").reshape(2, 3)}

    @app.method("demo.fail")
    def fail() -> None:
        raise MethodError("no", {"why": 1}, -5)

    @app.method("demo.paint")
    def paint(count: int) -> None:
        for n in range(count):
            tiles.publish({"n": n, "pixels": np.full((4, 4), n, "u1")}, {"row": n % 3})
            lines.publish(f"line {n}")

    return app


@pytest.fixture
async def recorded(tmp_path: Path) -> Path:
    recorder = Recorder()
    application = app(recorder)
    async with application.connect() as link, application.connect() as other:
        await other.call("demo.turn", 99)  # another client's
        async with link.subscribe("demo.tile"), link.subscribe("demo.line") as lines:
            await link.call("demo.turn", 1.5, options={"a": 1, "b": [True]})
            await link.call("demo.turn", 1.5, options={"b": [True], "a": 1})
            with pytest.raises(CallError):
                await link.call("demo.fail")
            await link.call("demo.paint", 6)
            for _ in range(6):
                await anext(lines)
            await asyncio.sleep(0.15)
            await link.call("demo.paint", 1)
            await anext(lines)
    path = tmp_path / "run.wsrec"
    recorder.write(path)
    return path


async def take(link: Link, topic: str, count: int, **options: Any) -> list[Any]:
    async with link.subscribe(topic, **options) as subscription:
        return [await asyncio.wait_for(anext(subscription), 5) for _ in range(count)]


async def test_calls_are_answered_as_they_were(recorded: Path) -> None:
    async with replay(recorded) as link:
        first = await link.call("demo.turn", 1.5, options={"a": 1, "b": [True]})
        again = await link.call("demo.turn", 1.5, options={"b": [True], "a": 1})  # the order of a map is none
        last = await link.call("demo.turn", 1.5, options={"a": 1.0, "b": [True]})
        assert [one["number"] for one in (first, again, last)] == [2, 3, 3]
        assert first["mesh"].tolist() == [[0, 1, 2], [3, 4, 5]]
        with pytest.raises(CallError) as error:
            await link.call("demo.fail")
        assert (error.value.code, error.value.message, error.value.data) == (-5, "no", {"why": 1})
        with pytest.raises(CallError, match="holds no response to demo.turn with these arguments"):
            await link.call("demo.turn", 1.5, options={"a": 1, "b": [1]})
        with pytest.raises(CallError, match="Unregistered"):
            await link.call("demo.nothing")


async def test_a_page_gets_the_newest_response_for_other_arguments(recorded: Path) -> None:
    async with replay(recorded, strict=False) as link:
        assert (await link.call("demo.turn", 7))["number"] in (2, 3)


async def test_publications_come_in_order_and_by_the_filter(recorded: Path) -> None:
    async with replay(recorded) as link:
        assert await take(link, "demo.line", 7) == [*(f"line {n}" for n in range(6)), "line 0"]
        # As late as it comes, a "latest" topic has the newest of each of its tags.
        assert sorted(one["n"] for one in await take(link, "demo.tile", 3)) == [0, 4, 5]
        (row,) = await take(link, "demo.tile", 1, filter={"row": 2})
        assert row["pixels"].tolist() == np.full((4, 4), 5).tolist()
        async with link.subscribe("demo.quiet"):
            pass


async def test_a_filter_that_changes_shows_what_was_there(recorded: Path) -> None:
    async with replay(recorded) as link:
        await take(link, "demo.line", 7)
        async with link.subscribe("demo.tile", filter={"row": 1}) as tiles:
            assert (await anext(tiles))["n"] == 4
            await tiles.update({"row": 2})
            assert (await anext(tiles))["n"] == 5


async def test_it_goes_at_its_pace_or_another(recorded: Path) -> None:
    async def seconds(speed: float) -> float:
        async with replay(recorded, speed=speed) as link:
            began = time.monotonic()
            await take(link, "demo.line", 7)
            return time.monotonic() - began

    assert await seconds(1) > 0.14
    assert await seconds(0.5) > 0.28
    assert await seconds(math.inf) < 0.14


async def test_it_is_stepped(recorded: Path) -> None:
    async with replay(recorded, speed=0) as link, link.subscribe("demo.line") as lines:
        await link.call("wslink.replay.step", 1)
        await link.call("wslink.replay.step", 3)  # of both topics
        assert [await asyncio.wait_for(anext(lines), 5) for _ in range(2)] == ["line 0", "line 1"]
        state = await link.call("wslink.replay.state")
        assert state["clients"][link.client_id]["position"] == 4
        assert state["publications"] == 14
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(lines), 0.05)
        await link.call("wslink.replay.speed", 1000)
        assert [await asyncio.wait_for(anext(lines), 5) for _ in range(5)][-1] == "line 0"
        with pytest.raises(CallError, match="speed"):
            await link.call("wslink.replay.speed", -1)


async def test_each_page_sees_it_from_the_beginning(recorded: Path, serve: Serve, peers: Open) -> None:
    played = Replay(open_tape(recorded), speed=math.inf, secret="secret")
    url = await serve(played.app)
    for _ in range(2):
        async with wslink.connect(url, secret="secret") as link:
            assert len(await take(link, "demo.line", 7)) == 7
    old = await peers(url, 1, hello={"secret": "secret"})  # a released page, which subscribes to nothing
    assert (await old.call("demo.turn", 1.5))["result"]["number"] in (2, 3)


async def test_a_view_is_one_clients(recorded: Path, tmp_path: Path) -> None:
    """What another client called is not in it, nor in a site that is made of it; REC-5."""
    tape = open_tape(recorded)
    assert len(tape.same) == 4
    assert sum(map(len, open_tape(recorded, "all").answered.values())) == 6
    other = next(
        one.clients[0] for one in open_tape(recorded, "all").records if one.clients and tape.client not in one.clients
    )
    assert not open_tape(recorded, other).shown
    with pytest.raises(UsageError, match="knows no client 'cx'; it knows c"):
        open_tape(recorded, "cx")
    path = tmp_path / "one.wsrec"
    path.write_bytes(b"".join(pieces(tape)))
    again = open_tape(path)
    assert (again.client, len(again.shown), len(again.same)) == (tape.client, 14, 4)
    assert other.encode() not in path.read_bytes()


async def test_what_is_whole_of_a_file_that_was_cut_off_is_played(recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes()[:-500])
    tape = open_tape(recorded)
    assert tape.truncated
    async with replay(recorded) as link:
        assert (await take(link, "demo.line", 1)) == ["line 0"]


def written(path: Path, *records: tuple[int, Any, bytes]) -> Path:
    parts = [*recording.head(About())]
    for kind, about, message in records:
        parts += recording.pack(kind, 1.0, ["c"], about, [message])
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("kind", "message", "why"),
    [
        (recording.CALL, b"\xc1", "at 1.000 s: malformed"),
        (recording.CALL, b"\x81\xa2id\xa1a", "it is not a call"),
        (recording.CALL, b"\x82\xa2id\xa1a\xa6method\x05", "it is not a call"),
        (recording.PUBLICATION, b"\x82\xa2id\xa1a\xa6result\x05", "it is not a publication"),
        (recording.PUBLICATION, b"\x81\xa2id\xadpublish:a.b:0", "it is not a publication"),
        (recording.RESPONSE, b"\x91" * 1000 + b"\xc0", "nested"),
        (recording.CALL, b"\x83\xa2id\xa1a\xa6method\xa1m\xa4args" + b"\x91" * 500 + b"\xc0", ""),
    ],
)
async def test_what_is_damaged_is_refused_by_its_time(kind: int, message: bytes, why: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.wsrec", (kind, None, message))
    if why:
        with pytest.raises(RecordingError, match=why):
            open_tape(path)
    else:  # deep, but not too deep
        open_tape(path)


async def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wsrec"
    with open(path, "wb") as file:
        file.truncate(recording.MAX_FILE + 1)
    with pytest.raises(RecordingError, match="MAX_FILE"):
        open_tape(path)


@pytest.mark.parametrize("speed", [-1.0, math.nan, 1e-9])
def test_a_speed_that_is_none_is_refused(speed: float, tmp_path: Path) -> None:
    tape = open_tape(written(tmp_path / "a.wsrec"))
    with pytest.raises(UsageError, match="speed"):
        Replay(tape, speed=speed)


def test_a_site_is_written_whole_or_refused(tmp_path: Path) -> None:
    tape = open_tape(written(tmp_path / "a.wsrec"))
    page = tmp_path / "www"
    (page / "sub").mkdir(parents=True)
    (page / "index.html").write_bytes("<!doctype html><HEAD lang=x><title>ü</title>".encode())
    (page / "sub" / "bare.html").write_text("<script src=a.js></script>")
    (page / ".env").write_text("secret")
    (page / "a.js").write_text("1")
    (page / "passwords.txt").symlink_to(tmp_path / "a.wsrec")
    for content, out, why in [
        ("", "out", "--content"),
        (str(page), str(page), "not empty"),
        (str(page), str(page / "out"), "part of the page"),
    ]:
        with pytest.raises(UsageError, match=why):
            export(tape, content, out)
    out = tmp_path / "out"
    assert export(tape, str(page), str(out)) == 2
    script = '<script src="{0}wslink/replay.js" data-recording="{0}wslink/recording.wsrec"></script>'
    assert f"<HEAD lang=x>{script.format('')}<title>ü" in (out / "index.html").read_text(encoding="utf-8")
    assert (out / "sub" / "bare.html").read_text().startswith(script.format("../"))
    assert (out / "a.js").read_text() == "1"
    assert not (out / ".env").exists()
    assert not (out / "passwords.txt").exists()
    assert (out / "wslink" / "client.js").exists()
    with pytest.raises(UsageError, match="not empty"):
        export(tape, str(page), str(out))


async def test_the_shared_recording_is_played(tmp_path: Path) -> None:
    """tests/vectors/recording.json, which TypeScript plays too (REC-1 to REC-5)."""
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "recording.json").read_text())
    path = tmp_path / "shared.wsrec"
    path.write_bytes(bytes.fromhex(vectors["file"]))
    tape = open_tape(path)
    assert (tape.client, tape.topics) == ("c1", vectors["topics"])
    assert [(one.time, one.topic, one.tags) for one in tape.shown] == [
        (one["time"], one["topic"], one["tags"]) for one in vectors["publications"]
    ]
    assert tape.shown[0].payload["pixels"].tolist() == [[0, 1, 2], [3, 4, 5]]
    async with replay(path) as link:
        for one in vectors["calls"]:
            args = [plain(value) for value in one["args"]]
            if "result" in one["response"]:
                assert await link.call(one["method"], *args, **one["kwargs"]) == one["response"]["result"]
            else:
                with pytest.raises(CallError) as error:
                    await link.call(one["method"], *args, **one["kwargs"])
                assert error.value.code == one["response"]["error"]["code"]
        async with link.subscribe("a.tile", filter={"row": 2}) as tiles:  # by what its payload says
            assert (await anext(tiles))["text"] == "ü"
