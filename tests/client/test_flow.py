"""What the Python client acknowledges, and how it sends by what the server acknowledges (FLOW, LANE)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from aiohttp import web

import wslink
from tests.conftest import Serve
from tests.messages import HEADER
from tests.waiting import until
from wslink import App, CallError, Limits, Link, Transfer, UsageError

VECTORS = Path(__file__).parents[1] / "vectors"
KIB, MIB = 1024, 1024 * 1024
FEATURES = ["subscribe", "arrays", "flow"]


class Scripted:
    """A server that answers hello and nothing else by itself.

    Attributes:
        calls: that are complete, as (method, id), in the order in which they were.
        extensions: messages of extensions.
        responses: to calls of its own.
        counted: bytes of frames that FLOW-1 counts.
        chunks: the sizes of those frames.
        hello: as the client said it.
        acknowledges: whether each frame is acknowledged at once.
        features: those that are accepted.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.extensions: list[Any] = []
        self.responses: list[Any] = []
        self.counted = 0
        self.chunks: list[int] = []
        self.hello: dict[str, Any] = {}
        self.acknowledges = False
        self.features = FEATURES
        self.socket = web.WebSocketResponse(max_msg_size=8 * MIB)
        self._partial: dict[int, bytearray] = {}
        self._greeted = False

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        await self.socket.prepare(request)
        async for frame in self.socket:
            await self._take(frame.data)
        return self.socket

    async def _take(self, data: bytes) -> None:
        id_, _, total = HEADER.unpack_from(data)
        partial = self._partial.setdefault(id_, bytearray())
        partial += data[12:]
        message = msgpack.unpackb(self._partial.pop(id_)) if len(partial) == total else None
        if isinstance(message, list):
            self.extensions.append(message)
            return
        if self._greeted:
            self.counted += len(data)
            self.chunks.append(len(data))
        if message is not None and message.get("method") == "wslink.hello":
            self._greeted = True
            self.hello = message
            hello = {"clientID": "c1", "maxMsgSize": 4 * MIB, "features": self.features}
            await self.send({"id": message["id"], "result": hello})
        elif message is not None and "method" not in message:
            self.responses.append(message)
        elif message is not None:
            self.calls.append((message["method"], message["id"]))
            if message["method"] == "wslink.subscribe":
                await self.send({"id": message["id"], "result": {"delivery": "latest"}})
        if self.acknowledges:
            await self.send([1, self.counted, 0])

    async def send(self, message: Any) -> None:
        text = msgpack.packb(message)
        await self.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text)

    async def called(self, method: str) -> str:
        """The id of a call that has arrived whole."""
        await until(lambda: any(name == method for name, _ in self.calls))
        return next(id_ for name, id_ in self.calls if name == method)

    async def answer(self, method: str, result: Any) -> None:
        await self.send({"id": await self.called(method), "result": result})

    async def publish(self, payload: Any, *subscriptions: int) -> None:
        await self.send({"id": "publish:a.topic:1", "result": payload, "subscriptions": list(subscriptions)})

    def said(self, kind: int) -> list[Any]:
        return [message for message in self.extensions if message[0] == kind]


Connected = Callable[..., Awaitable[tuple[Link, Scripted]]]


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    opened: list[tuple[Link, web.AppRunner]] = []

    async def connect(features: list[str] = FEATURES, reconnect: bool = True, **options: Any) -> tuple[Link, Scripted]:
        server = Scripted()
        server.features = features
        application = web.Application()
        application.router.add_get("/ws", server.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
        link = await wslink.connect(url, reconnect=reconnect, **options)
        opened.append((link, runner))
        return link, server

    yield connect
    for link, runner in opened:
        await link.close()
        await runner.cleanup()


def start(link: Link, method: str, *args: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(link.call(method, *args))


async def finish(*calls: asyncio.Task[Any]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_the_client_says_hello_as_the_vectors_have_it(connected: Connected) -> None:
    """EXT-1, HELLO-7."""
    _, server = await connected(reconnect=False)
    cases = json.loads((VECTORS / "hello.json").read_text())["cases"]
    requests = [case["request"] for case in cases if case.get("ours")]
    expected = next(request for request in requests if "secret" not in request["args"][0])
    sent, token = dict(server.hello), server.hello["args"][0]
    known = expected["args"][0]["features"]
    assert (sent.pop("args"), sent.pop("kwargs")) == ([token], {})
    assert sent == {key: value for key, value in expected.items() if key != "args"}
    assert token == {
        "features": [name for name in known if name in token["features"]],
        "client": {"name": "wslink-python", "version": wslink.__version__},
    }
    assert {"subscribe", "arrays", "flow"} <= set(token["features"])


# What it acknowledges


async def test_the_client_acknowledges_what_came_after_hellos_response(connected: Connected) -> None:
    """FLOW-1, FLOW-2."""
    link, server = await connected()
    assert "flow" in link.features
    call = start(link, "a.method")
    await server.answer("a.method", "x" * 1000)
    assert await call == "x" * 1000
    await until(lambda: bool(server.said(1)))
    [[_, total, held]] = server.said(1)
    assert 1000 < total < 1100
    assert held < 50
    for _ in range(3):
        await server.send([1, server.counted, 0])  # is not counted
    await asyncio.sleep(0.06)
    assert [message[1] for message in server.said(1)] == [total]
    await server.socket.send_bytes(b"\x00" * 20)  # is, though it cannot be read
    await until(lambda: server.said(1)[-1][1] == total + 20)


async def test_many_small_frames_are_acknowledged_together(connected: Connected) -> None:
    """FLOW-3."""
    link, server = await connected()
    for _ in range(1000):
        await server.publish("x", 9)
    call = start(link, "a.method")
    await server.answer("a.method", 1)
    await call
    await asyncio.sleep(0.06)
    assert 1 <= len(server.said(1)) < 200


async def test_a_server_without_flow_is_sent_no_acknowledgements(connected: Connected) -> None:
    link, server = await connected(["subscribe"])
    async with link.subscribe("a.topic", window=1) as subscription:
        await server.publish("x", 1)
        assert await anext(subscription) == "x"
        call = start(link, "a.large", bytes(MIB))
        await server.answer("a.large", 5)
        assert await call == 5
        await asyncio.sleep(0.06)
        server.acknowledges = True
        await asyncio.gather(start(link, "b.large", bytes(MIB)), server.answer("b.large", 6))
        assert server.extensions == []
        unsubscribing = subscription.cancel()
        await server.answer("wslink.unsubscribe", None)
        await unsubscribing


# What subscribers have dealt with


async def test_a_publication_is_settled_when_its_subscriber_comes_back(connected: Connected) -> None:
    """FLOW-5."""
    link, server = await connected()
    subscription = link.subscribe("a.topic", window=2, max_rate=20)
    await subscription.ready
    for n in range(3):
        await server.publish(n, 1)
    assert [await anext(subscription), await anext(subscription)] == [0, 1]
    await until(lambda: server.said(2) != [])
    await asyncio.sleep(0.06)
    assert [message[:3] for message in server.said(2)] == [[2, 1, 1]]
    assert await anext(subscription) == 2
    await until(lambda: len(server.said(2)) == 2)
    _, _, count, duration = server.said(2)[1]
    assert count == 2
    assert 40 < duration < 2000


async def test_what_waits_for_a_subscription_that_is_cancelled_is_settled_at_once(connected: Connected) -> None:
    """FLOW-5."""
    link, server = await connected()
    subscription = link.subscribe("a.topic")
    await subscription.ready
    for n in range(5):
        await server.publish(n, 1)
    assert await anext(subscription) == 0
    await asyncio.sleep(0.05)
    unsubscribing = subscription.cancel()
    await until(lambda: [message[:3] for message in server.said(2)] == [[2, 1, 5]])
    await server.answer("wslink.unsubscribe", None)
    await unsubscribing


async def test_a_slow_subscriber_of_a_latest_topic_has_little_that_is_old(app: App, serve: Serve) -> None:
    """FLOW-6, FLOW-7: two are on their way, then only the newest waits; a call and another topic pass."""
    frames, others = app.topic("test.frame", delivery="latest"), app.topic("test.other", delivery="latest")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription, other = link.subscribe("test.frame", window=2), link.subscribe("test.other")
        await asyncio.gather(subscription.ready, other.ready)
        for n in range(20):
            frames.publish(n)
            await asyncio.sleep(0)
        assert await link.call("test.one") == 1
        for n in range(10):
            others.publish(n)
            assert await asyncio.wait_for(anext(other), 5) == n
        assert [await asyncio.wait_for(anext(subscription), 5) for _ in range(3)] == [0, 1, 19]
        await subscription.update({})
        [served] = frames.subscriptions
        assert served.dropped == 17


async def test_a_subscriber_chooses_its_rate(app: App, serve: Serve) -> None:
    """FLOW-6."""
    frames = app.topic("test.frame", delivery="latest")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.frame", max_rate=20)
        await subscription.ready

        async def publish() -> None:
            for n in range(200):
                frames.publish(n)
                await asyncio.sleep(0.005)

        publishing, seen = asyncio.create_task(publish()), 0
        while await anext(subscription) != 199:
            seen += 1
        await publishing
        assert seen <= 30
        for options in ({"window": 0}, {"window": 1025}, {"max_rate": 0}, {"max_rate": float("nan")}):
            with pytest.raises(UsageError, match=next(iter(options))):
                link.subscribe("test.frame", **options)  # type: ignore[arg-type]


# What it sends


async def test_a_large_argument_waits_for_acknowledgements_and_small_calls_pass_it(connected: Connected) -> None:
    """FLOW-4, LANE-1, LANE-2."""
    link, server = await connected()
    calls = [start(link, "a.large", bytes(32 * MIB)), start(link, "b.large", bytes(200 * KIB))]
    await asyncio.sleep(0.1)
    assert 32 * KIB < server.counted < 150 * KIB
    calls.append(start(link, "a.small"))
    await asyncio.sleep(0.05)
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    await server.called("a.large")
    assert [method for method, _ in server.calls] == ["a.small", "b.large", "a.large"]
    await finish(*calls)


async def test_large_arguments_to_a_server_without_flow_go_one_after_another(connected: Connected) -> None:
    """LANE-5."""
    link, server = await connected(["subscribe"])
    calls = [start(link, "a.large", bytes(4 * MIB)), start(link, "b.large", bytes(100 * KIB)), start(link, "a.small")]
    await server.called("b.large")
    assert [method for method, _ in server.calls if method != "a.small"] == ["a.large", "b.large"]
    assert max(server.chunks) <= 4 * MIB
    await finish(*calls)


async def test_acknowledgements_that_make_no_sense_change_nothing(connected: Connected) -> None:
    """FLOW-2."""
    link, server = await connected()
    call = start(link, "a.large", bytes(MIB))
    await asyncio.sleep(0.1)
    before = server.counted
    for items in ([], [1], [1, -5, 0], [1, 10**9, 0], [1, "5", 0], [1, 0.5, 0], [1, 0, 0], [7, 1], [[1], 1]):
        await server.send(items)
    await asyncio.sleep(0.05)
    assert server.counted == before
    server.acknowledges = True
    await server.send([1, before, 0])
    await server.answer("a.large", "done")
    assert await call == "done"


async def test_a_call_that_is_given_up_before_it_is_sent_is_not_sent(connected: Connected) -> None:
    link, server = await connected()
    calls = [start(link, name, bytes(MIB)) for name in ("a.large", "b.large", "c.large")]
    await asyncio.sleep(0.05)
    await finish(calls[1])
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    await server.called("c.large")
    assert [method for method, _ in server.calls] == ["a.large", "c.large"]
    await finish(*calls)


async def test_arguments_that_are_refused_do_not_stop_later_ones(serve: Serve) -> None:
    """FLOW-1: frames that cannot be read are acknowledged too."""
    app = App(secret="secret", limits=Limits(max_message=MIB))
    app.method("test.size")(lambda data: len(data))
    async with wslink.connect(await serve(app), secret="secret") as link:
        for _ in range(20):
            with pytest.raises(CallError, match="max_message"):
                await asyncio.wait_for(link.call("test.size", bytes(2 * MIB)), 5)
            assert await asyncio.wait_for(link.call("test.size", bytes(MIB // 2)), 5) == MIB // 2


async def test_calls_of_all_sizes_at_once(app: App, serve: Serve) -> None:
    app.method("test.echo")(lambda data: data)
    sizes = [0, 100, 20 * KIB, 300 * KIB, 5 * MIB, 16 * KIB, 3 * MIB, 40 * KIB] * 5
    async with wslink.connect(await serve(app), secret="secret") as link:
        results = await asyncio.gather(*(link.call("test.echo", bytes(size)) for size in sizes))
        assert [len(data) for data in results] == sizes


# How far it has come


async def test_transfers_show_how_far_they_have_come(app: App, serve: Serve) -> None:
    app.method("test.echo")(lambda data, *, times=1: data * times)
    seen: list[Transfer] = []
    async with wslink.connect(await serve(app), secret="secret") as link:
        calling = link.with_options(on_transfer=seen.append)
        beside = link.call("test.echo", bytes(MIB))
        result, _ = await asyncio.gather(calling.call("test.echo", bytes(8 * MIB), times=2), beside)
        assert len(result) == 16 * MIB
        sent = [transfer for transfer in seen if transfer.sent is not None]
        received = [transfer for transfer in seen if transfer.received is not None]
        assert sent + received == seen
        for way, size in (
            ([(transfer.sent, transfer.total) for transfer in sent], 8 * MIB),
            ([(transfer.received, transfer.total) for transfer in received], 16 * MIB),
        ):
            done = [part or 0 for part, _ in way]
            assert len(way) > 2
            assert done == sorted(set(done))
            assert {total for _, total in way} == {done[-1]}
            assert size < done[-1] < size + KIB
        seen.clear()
        await calling.call("test.echo", b"small")
        assert [transfer.received is None for transfer in seen] == [True, False]
        assert not link._session._receiving


async def test_progress_that_raises_or_is_given_up_disturbs_nothing(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    link, server = await connected()

    def show(transfer: Transfer) -> None:
        raise LookupError("a mistake")

    call = asyncio.create_task(link.with_options(on_transfer=show).call("a.large", bytes(MIB)))
    await asyncio.sleep(0.05)
    await finish(call)
    assert "a mistake" in caplog.text
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    other = start(link, "a.small")
    await server.answer("a.small", 1)
    assert await other == 1
