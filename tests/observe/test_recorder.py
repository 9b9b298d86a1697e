"""What the recorder of a server keeps, and what it writes."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wslink
from tests.conftest import Open, Serve
from wslink import App, CallError, MethodError, Recorder, UsageError
from wslink.testing import replay
from wslink.wire import recording
from wslink.wire.recording import Reader, Record

SECRET = "s3cret-of-the-server"
NAMES = ("about", "call", "response", "publication", "event")


def app(recorder: Recorder | None, **options: Any) -> App:
    app = App(secret=SECRET, recorder=recorder, **options)
    tiles = app.topic("demo.tile", delivery="latest")

    @app.method("demo.add")
    def add(a: int, b: int = 1) -> int:
        return a + b

    @app.method("demo.late", run="thread")
    def late() -> Any:
        return {"a": np.arange(3, dtype="<f4")}

    @app.method("demo.login")
    async def login(password: str) -> str:
        return password

    @app.method("demo.fail")
    async def fail(how: str) -> None:
        raise MethodError("no", {"why": 1}, -5) if how == "chosen" else ValueError(how)

    @app.method("demo.count")
    async def count(most: int) -> AsyncIterator[int]:
        for n in range(most):
            yield n

    @app.method("demo.paint")
    def paint(size: int, count: int = 1) -> int:
        return sum(tiles.publish({"n": n, "data": b"x" * size}, {"row": n}) for n in range(count))

    return app


def read(path: Path) -> tuple[Reader, list[Record]]:
    reader = Reader(path.read_bytes())
    return reader, list(reader)


def told(records: list[Record]) -> list[tuple[str, Any]]:
    """Kinds, and what a record holds of them."""
    found: list[tuple[str, Any]] = []
    for one in records:
        message = recording.decode(one.message) if one.message is not None else {}
        what = message.get("method", message.get("result", message.get("error", one.about)))
        if isinstance(what, dict) and isinstance(what.get("a"), np.ndarray):
            what = what["a"].tolist()
        found.append((NAMES[one.kind], what))
    return found


def ids(records: list[Record], kind: int) -> set[str]:
    return {recording.decode(one.message)["id"] for one in records if one.kind == kind and one.message}


async def test_calls_results_errors_and_publications_are_kept(tmp_path: Path) -> None:
    recorder = Recorder()
    async with app(recorder).connect() as link, link.subscribe("demo.tile", filter={"row": 1}) as tiles:
        assert await link.call("demo.add", 2, b=5) == 7
        assert await link.call("demo.paint", 3, count=3) == 1
        await anext(tiles)
        assert (await link.call("demo.late"))["a"].tolist() == [0, 1, 2]
        for how in ("chosen", "other"):
            with pytest.raises(CallError):
                await link.call("demo.fail", how)
        with pytest.raises(CallError):
            await link.call("demo.nothing")
    path = tmp_path / "a.wsrec"
    count = recorder.write(path, "a test")
    reader, records = read(path)
    assert count == len(records)
    assert (reader.about.source, reader.about.reason) == ("server", "a test")
    assert reader.about.topics["demo.tile"].delivery == "latest"
    kept = told(records)
    assert kept[:2] == [("call", "wslink.subscribe"), ("call", "demo.add")]
    assert ("response", 7) in kept
    assert ("response", [0, 1, 2]) in kept
    assert ("publication", {"n": 1, "data": b"xxx"}) in kept
    assert ("response", {"code": -5, "message": "no", "data": {"why": 1}}) in kept
    exception = {"method": "demo.fail", "exception": "ValueError('other')"}
    assert ("response", {"code": -32001, "message": "Exception raised", "data": exception}) in kept
    assert [what["data"] for kind, what in kept if isinstance(what, dict) and what.get("code") == -32601] == [
        "demo.nothing"
    ]
    assert kept[-1] == ("event", "gone")
    shown = next(one for one in records if one.kind == recording.PUBLICATION)
    assert shown.about == {"row": 1}
    assert len(shown.clients) == 1
    called = [recording.decode(one.message)["id"] for one in records if one.kind == recording.CALL and one.message]
    answered = [
        recording.decode(one.message)["id"] for one in records if one.kind == recording.RESPONSE and one.message
    ]
    assert set(answered) <= set(called)
    assert [one.time for one in records] == sorted(one.time for one in records)


async def test_secrets_are_never_recorded(tmp_path: Path, serve: Serve, peers: Open) -> None:
    """REC-5: nor what is left out by name, nor what was never let in."""
    recorder = Recorder(leave_out=["demo.login"])
    url = await serve(app(recorder))
    stranger = await peers(url)
    await stranger.hello(secret="wrong-secret")
    await stranger.send({"wslink": "1.0", "id": "rpc:c:1", "method": "demo.stranger", "args": [], "kwargs": {}})
    async with wslink.connect(url, secret=SECRET) as link:
        assert await link.call("demo.login", "pass-word") == "pass-word"
        assert await link.call("demo.add", 1) == 2
        pieces = [piece async for piece in link.stream("wslink.recording", SECRET)]
    path = tmp_path / "a.wsrec"
    recorder.write(path)
    data = path.read_bytes()
    assert b"demo.add" in data
    assert b"demo.add" in b"".join(pieces)
    for secret in (SECRET, "wrong-secret", "pass-word", "demo.login", "demo.stranger"):
        assert secret.encode() not in data


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    """REC-6"""
    path = tmp_path / "a.wsrec"
    path.write_text("something else, which everybody may read")
    path.chmod(0o644)
    Recorder().write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="nowhere"):
        Recorder().write(tmp_path / "nowhere" / "a.wsrec")


async def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """LIM-22"""
    recorder = Recorder(max_bytes=100_000)
    async with app(recorder).connect() as link, link.subscribe("demo.tile") as tiles:
        for _ in range(30):
            await link.call("demo.paint", 20_000)
            await anext(tiles)
        await link.call("demo.paint", 200_000)  # more than the ring holds
        await anext(tiles)
    path = tmp_path / "a.wsrec"
    recorder.write(path)
    reader, records = read(path)
    assert path.stat().st_size < 101_000
    assert len([one for one in records if one.kind == recording.PUBLICATION]) == 2
    assert reader.about.left_out > 50


async def test_a_file_is_written_at_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "not" / "there"
    recorder = Recorder(directory=directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    async with app(recorder).connect() as link:
        with pytest.raises(CallError):
            await link.call("demo.fail", "chosen")
        assert not list(directory.iterdir())
        for _ in range(3):  # which may come fast, and fill no disk
            with pytest.raises(CallError):
                await link.call("demo.fail", "by accident")
        recorder.wait()
    (path,) = directory.glob("*.wsrec")
    reader, records = read(path)
    assert "demo.fail raised ValueError('by accident')" in reader.about.reason
    assert ("event", "raised: demo.fail: ValueError('by accident')") in told(records)


async def test_the_servers_secret_alone_opens_it(serve: Serve) -> None:
    url = await serve(app(Recorder()))
    async with wslink.connect(url, secret=SECRET) as link:
        await link.call("demo.add", 41)
        for secret in ("", "wrong", SECRET[:-1]):
            with pytest.raises(CallError, match="know the server's secret"):
                async for _ in link.stream("wslink.recording", secret):
                    pass
        data = b"".join([piece async for piece in link.stream("wslink.recording", SECRET)])
    assert ("response", 42) in told(list(Reader(data)))


async def test_what_was_forgotten_stays_in_memory_for_few_who_take_it(serve: Serve) -> None:
    """Each who takes a recording keeps what was recorded when that began."""
    application = app(Recorder(4_000_000))
    url = await serve(application)
    async with wslink.connect(url, secret=SECRET) as link, link.subscribe("demo.tile"):
        slow = []
        for _ in range(4):
            await link.call("demo.paint", 1000, 1500)
            slow.append(link.stream("wslink.recording", SECRET, window=1))
            assert (await anext(slow[-1]))[:8] == recording.MAGIC
        for number, stream in enumerate(slow):
            taking = [piece async for piece in stream] if number >= 2 else None
            if taking is None:
                with pytest.raises(CallError, match="the most slowly"):
                    [piece async for piece in stream]
            else:
                assert len(b"".join(taking)) > 1_000_000
        assert len(b"".join([piece async for piece in link.stream("wslink.recording", SECRET)])) > 1_000_000


async def test_what_is_rendered_for_one_subscription_has_no_tags(tmp_path: Path) -> None:
    """REC-3: its filter has not been asked, and would keep it out when it is played."""
    recorder = Recorder()
    application = App(recorder=recorder)
    tiles = application.topic("demo.rendered", delivery="latest")
    tiles.on_demand(lambda viewer: {"row": 3})
    async with application.connect() as link, link.subscribe("demo.rendered", filter={"row": 3}) as shown:
        assert await anext(shown) == {"row": 3}
    path = tmp_path / "a.wsrec"
    recorder.write(path)
    assert {one.about for one in read(path)[1] if one.kind == recording.PUBLICATION} == {None}
    async with replay(path) as link, link.subscribe("demo.rendered", filter={"row": 3}) as shown:
        assert await anext(shown) == {"row": 3}
        async with link.subscribe("demo.rendered", filter={"row": 4}) as other:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(other), 0.05)


async def test_a_setting_turns_it_on(serve: Serve) -> None:
    url = await serve(app(None), recorder=100_000)
    async with wslink.connect(url, secret=SECRET) as link:
        await link.call("demo.add", 41)
        data = b"".join([piece async for piece in link.stream("wslink.recording", SECRET)])
    assert ("response", 42) in told(list(Reader(data)))


async def test_without_one_nothing_is_there() -> None:
    plain = app(None)
    async with plain.connect() as link:
        with pytest.raises(CallError, match="Unregistered"):
            async for _ in link.stream("wslink.recording", SECRET):
                pass


@pytest.mark.parametrize("generation", [1, 2])
async def test_clients_of_both_versions_are_recorded(
    generation: int, tmp_path: Path, serve: Serve, peers: Open
) -> None:
    recorder = Recorder()
    url = await serve(app(recorder))
    peer = await peers(url, generation, hello={"secret": SECRET})
    await peer.call("demo.paint", 3)
    await peer.call("demo.late")
    path = tmp_path / "a.wsrec"
    recorder.write(path)
    kept = told(read(path)[1])
    assert ("publication", {"n": 0, "data": b"xxx"}) in kept


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"max_bytes": True}])
def test_what_no_recorder_can_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Recorder(**options)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_directory_that_cannot_be_made_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=rf"the directory '{tmp_path / name}' cannot be made: .*[Nn]ot a directory"):
        Recorder(directory=tmp_path / name)


def test_a_recorder_is_one_apps() -> None:
    recorder = Recorder()
    app(recorder)
    with pytest.raises(UsageError, match="one App"):
        app(recorder)
