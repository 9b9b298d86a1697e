"""Traces of a server and of the Python client (TRC), by OpenTelemetry's own exporters in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy
import pytest
from opentelemetry import trace

import wslink
from tests.conftest import Open, Serve
from tests.observe.tracing import Recorded, recorded
from tests.waiting import until
from wslink import App, Call, CallError, MethodError, UsageError
from wslink.observe import traces as traces_module

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
FEATURES = ["subscribe", "arrays", "handle", "trace"]


@pytest.fixture
def spans() -> Iterator[Recorded]:
    found = recorded()
    found.clear()
    yield found
    found.clear()


def application() -> App:
    app = App(secret="secret")
    frames = app.topic("view.frame")

    @app.method("view.rotate")
    def rotate(angle: float) -> float:
        frames.publish(numpy.full(3, angle, "<f4"))
        return angle

    @app.method("view.block", run="thread")
    def block() -> None:
        with trace.get_tracer("application").start_as_current_span("draw"):
            frames.publish("drawn")

    @app.method("view.late")
    async def late() -> str:
        await asyncio.sleep(0.01)
        frames.publish("late")
        return "late"

    @app.method("view.measure")
    async def measure(call: Call) -> Any:
        return await call.client.call("page.width")

    @app.method("view.parts")
    async def parts(count: int) -> AsyncIterator[int]:
        for part in range(count):
            yield part

    add_failing(app)
    return app


def add_failing(app: App) -> None:
    @app.method("view.fail")
    def fail() -> None:
        raise MethodError("no", code=-5)

    @app.method("view.crash")
    async def crash() -> None:
        raise ValueError("mine")

    @app.method("view.bad")
    def bad() -> object:
        return object()

    @app.method("view.forever")
    async def forever() -> None:
        await asyncio.Event().wait()


CALL = "view.{0} S < view.{0} C"
METHOD = f"wslink.method I < {CALL}"


@pytest.mark.parametrize(
    "settings", [{}, {"application_thread": True}, {"metrics": True, "inspector": True, "recorder": 1 << 20}]
)
@pytest.mark.parametrize(("method", "above"), [("rotate", ""), ("block", "draw I < "), ("late", "")])
async def test_one_trace_from_the_call_to_the_callback(
    serve: Serve, spans: Recorded, settings: dict[str, Any], method: str, above: str
) -> None:
    url = await serve(application(), traces=True, **settings)
    async with wslink.connect(url, secret="secret", traces=True) as link:
        frames = link.subscribe("view.frame")
        await frames.ready
        await link.call(f"view.{method}", *((30.0,) if method == "rotate" else ()))
        async for _ in frames:
            await asyncio.sleep(0.005)  # it does something with it
            break
        call = spans.named(f"view.{method}", "CLIENT")
        await link.call("view.rotate", 1.0)  # the one before has been settled by then
        async for _ in frames:
            break
        publication = f"wslink.encode P < {above}{METHOD.format(method)}"
        expected = [
            f"view.{method} C",
            CALL.format(method),
            f"wslink.queue I < {CALL.format(method)}",
            METHOD.format(method),
            *([f"{above}{METHOD.format(method)}"] if above else []),
            f"wslink.encode I < {CALL.format(method)}",
            f"wslink.decode I < view.{method} C",
            publication,
            f"wslink.decode I < {publication}",
            f"wslink.callback C < {publication}",
        ]
        expected = sorted(path.removesuffix(" < ") for path in expected)
        await until(lambda: spans.paths(call.context.trace_id) == expected)


async def test_the_times_of_a_call(serve: Serve, spans: Recorded) -> None:
    app = App(secret="secret")

    @app.method("a.block", run="thread")
    def block() -> bytes:
        time.sleep(0.03)
        return bytes(1000)

    url = await serve(app, traces=True)
    async with wslink.connect(url, secret="secret") as link:
        await link.call("a.block")
    call, queue, method, encode = (
        spans.named(name, kind)
        for name, kind in (
            ("a.block", "SERVER"), ("wslink.queue", "INTERNAL"), ("wslink.method", "INTERNAL"),
            ("wslink.encode", "INTERNAL"),
        )
    )  # fmt: skip
    assert call.parent is None, "the client does not trace"
    assert call.start_time == queue.start_time
    assert queue.end_time == method.start_time
    assert (method.end_time or 0) - (method.start_time or 0) >= 30_000_000
    assert (method.end_time or 0) <= (encode.start_time or 0) <= (encode.end_time or 0) <= (call.end_time or 0)


@pytest.mark.parametrize(
    ("method", "args", "code"),
    [
        ("view.fail", (), -5),
        ("view.crash", (), -32001),
        ("view.bad", (), -32002),
        ("view.rotate", ("north",), -32602),
        ("view.unheard.of", (), -32601),
    ],
)
async def test_a_call_that_fails(serve: Serve, spans: Recorded, method: str, args: tuple[Any, ...], code: int) -> None:
    url = await serve(application(), traces=True)
    async with wslink.connect(url, secret="secret", traces=True) as link:
        with pytest.raises(CallError) as failed:
            await link.call(method, *args)
        assert failed.value.code == code
    known = code != -32601
    served, made = spans.named(method if known else "wslink"), spans.named(method, "CLIENT")
    error = {"rpc.response.status_code": str(code), "error.type": str(code)}
    base = {"rpc.system.name": "wslink", "rpc.method": method if known else "_OTHER"}
    assert base.items() | error.items() <= dict(served.attributes or {}).items()
    assert {"rpc.method": method, **error}.items() <= dict(made.attributes or {}).items()
    assert served.status.status_code is made.status.status_code is trace.StatusCode.ERROR
    assert served.parent is not None
    assert served.parent.span_id == made.context.span_id
    for name in ("rpc.server.call.duration", "rpc.client.call.duration"):
        attributes = base if name == "rpc.server.call.duration" else {**base, "rpc.method": method}
        assert spans.counts(name)[frozenset({**attributes, **error}.items())] >= 1


async def test_a_call_that_is_given_up(serve: Serve, spans: Recorded) -> None:
    url = await serve(application(), traces=True)
    async with wslink.connect(url, secret="secret", traces=True) as link:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(link.call("view.forever"), 0.05)
        await until(lambda: any(span.name == "view.forever" and span.kind.name == "SERVER" for span in spans.spans()))
    for kind in ("SERVER", "CLIENT"):
        assert dict(spans.named("view.forever", kind).attributes or {})["error.type"] == "-32800"


async def test_streams_and_calls_of_the_server_belong_to_their_call(serve: Serve, spans: Recorded) -> None:
    async def width() -> int:
        return 640

    url = await serve(application(), traces=True)
    async with wslink.connect(url, secret="secret", traces=True, handlers={"page.width": width}) as link:
        assert [part async for part in link.stream("view.parts", 3)] == [0, 1, 2]
        assert await link.call("view.measure") == 640
        paths = spans.paths()
    assert METHOD.format("parts") in paths
    assert f"page.width S < {METHOD.format('measure')}" in paths


async def test_successes_are_counted_by_the_conventions(serve: Serve, spans: Recorded) -> None:
    app = App(secret="secret")
    app.method("a.counted")(lambda: None)
    url = await serve(app, traces=True)
    async with wslink.connect(url, secret="secret") as link:
        for _ in range(3):
            await link.call("a.counted")
    attributes = frozenset({"rpc.system.name": "wslink", "rpc.method": "a.counted"}.items())
    assert spans.counts("rpc.server.call.duration")[attributes] == 3


@pytest.mark.parametrize(
    "traceparent",
    [None, 7, "", PARENT.upper(), f"{PARENT}-more", f"00-{'0' * 32}-{SPAN}-01", "x" * 100_000, [PARENT], {"a": 1}],
    ids=range(9),
)  # fmt: skip
async def test_a_malformed_traceparent_is_ignored(
    serve: Serve, peers: Open, spans: Recorded, traceparent: object
) -> None:
    """TRC-2."""
    url = await serve(application(), traces=True)
    peer = await peers(url, hello={"features": FEATURES})
    await peer.send({"id": "rpc:x:0", "method": "view.late", "args": [], "traceparent": traceparent})
    assert (await peer.answer("rpc:x:0"))["result"] == "late"
    assert spans.named("view.late").parent is None


async def test_a_trace_is_followed_where_it_was_agreed_on_alone(serve: Serve, peers: Open, spans: Recorded) -> None:
    """TRC-1, TRC-4, EXT-3."""
    url = await serve(application(), traces=True)
    for features in (FEATURES, FEATURES[:-1]):
        spans.clear()
        peer = await peers(url, hello={"features": features})
        await peer.system("wslink.subscribe", {"subscription": 1, "topic": "view.frame"})
        await peer.send({"id": "rpc:x:0", "method": "view.rotate", "args": [30], "traceparent": PARENT})
        assert (await peer.answer("rpc:x:0"))["result"] == 30
        publication = await peer.publication()
        call, agreed = spans.named("view.rotate"), "trace" in features
        assert (call.parent is not None and f"{call.parent.trace_id:032x}" == TRACE) is agreed
        assert ("traceparent" in publication) is agreed
        if agreed:
            encode = spans.named("wslink.encode", "PRODUCER").context
            assert publication["traceparent"] == f"00-{TRACE}-{encode.span_id:016x}-01"


async def test_a_trace_that_is_not_sampled_is_passed_on_and_not_recorded(
    serve: Serve, peers: Open, spans: Recorded
) -> None:
    """TRC-3."""
    url = await serve(application(), traces=True)
    peer = await peers(url, hello={"features": FEATURES})
    await peer.system("wslink.subscribe", {"subscription": 1, "topic": "view.frame"})
    await peer.send({"id": "rpc:x:0", "method": "view.rotate", "args": [30], "traceparent": f"{PARENT[:-1]}0"})
    await peer.answer("rpc:x:0")
    publication = await peer.publication()
    assert publication["traceparent"].startswith(f"00-{TRACE}-")
    assert publication["traceparent"].endswith("-00")
    assert spans.spans() == []


@pytest.mark.parametrize("features", [FEATURES, FEATURES[::-1]])
async def test_arrays_stay_arrays_whatever_order_features_are_announced_in(
    serve: Serve, peers: Open, spans: Recorded, features: list[str]
) -> None:
    url = await serve(application(), traces=True)
    peer = await peers(url, hello={"features": features})
    await peer.system("wslink.subscribe", {"subscription": 1, "topic": "view.frame"})
    await peer.call("view.rotate", 1)
    assert type((await peer.publication())["result"]) is not bytes


@pytest.mark.parametrize("version", [1, 2])
async def test_released_clients_are_traced_as_far_as_the_server(
    serve: Serve, peers: Open, spans: Recorded, version: int
) -> None:
    url = await serve(application(), traces=True)
    peer = await peers(url, version, hello={})
    assert (await peer.call("view.late"))["result"] == "late"
    call = spans.named("view.late").context.trace_id
    assert len(spans.paths(call)) == 4  # its own, its waiting, its method and the encoding


async def test_calls_that_wait_are_forgotten_and_served(
    serve: Serve, spans: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIM-23."""
    monkeypatch.setattr(traces_module, "MAX_ARRIVED", 4)
    app = App(secret="secret")

    @app.method("a.block", run="thread")
    def block(number: int) -> int:
        time.sleep(0.02)
        return number

    url = await serve(app, traces=True, threads=1)
    async with wslink.connect(url, secret="secret") as link:
        assert await asyncio.gather(*(link.call("a.block", number) for number in range(12))) == list(range(12))
    recorded_calls = sum(span.name == "a.block" for span in spans.spans())
    assert 4 <= recorded_calls < 12


OFF = """
import asyncio, sys
import wslink

async def main():
    app = wslink.App(secret="secret")
    app.method("a.b")(lambda: 1)
    server = await app.serve(port=0, ready_msg="")
    async with wslink.connect(f"ws://127.0.0.1:{server.port}/ws", secret="secret") as link:
        assert await link.call("a.b") == 1
        assert "trace" not in link.features
    await server.stop()
    print([name for name in sys.modules if name.startswith("opentelemetry") or "spans" in name or "traces" in name])

asyncio.run(main())
"""


def test_where_it_is_off_nothing_of_it_is_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == "[]"


async def test_where_it_is_not_installed_it_says_so(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "wslink.rpc.spans"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("wslink.observe.traces", "wslink.client.traced"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UsageError, match=r"pip install 'wslink\[otel\]'"):
        await serve(application(), traces=True)
    with pytest.raises(UsageError, match=r"pip install 'wslink\[otel\]'"):
        wslink.connect("ws://localhost:1/ws", traces=True)


async def test_large_publications_are_whole(serve: Serve, spans: Recorded) -> None:
    app = App(secret="secret")
    topic = app.topic("view.frame")
    url = await serve(app, traces=True)
    async with wslink.connect(url, secret="secret", traces=True) as link:
        frames = link.subscribe("view.frame")
        await frames.ready
        sent = [numpy.arange(100_000, dtype="<f4"), b"x" * 300_000, "end"]
        topic.publish(sent)
        got = await asyncio.wait_for(anext(frames), 5)
    numpy.testing.assert_array_equal(got[0], sent[0])
    assert got[1:] == sent[1:]
