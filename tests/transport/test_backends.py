"""What every backend of the released API does alike, in both generations."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.released.peer import SECRET, Failure
from tests.released.serving import Protocol
from tests.transport.places import ENDING, PLACES, SHARED, Place
from wslink import register
from wslink.websocket import LinkProtocol

both = pytest.mark.parametrize("generation", [1, 2])


class Link(LinkProtocol):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.requests: list[Any] = []
        self.gone = asyncio.Event()
        self.gate = asyncio.Event()

    def onConnect(self, request: Any, client_id: str) -> None:
        self.heard.append(f"connect {client_id}")
        self.requests.append(request)

    def onClose(self, client_id: str) -> None:
        self.heard.append(f"close {client_id}")
        self.gone.set()

    @register("test.echo")
    def echo(self, *args: Any, **kwargs: Any) -> Any:
        return [list(args), kwargs]

    @register("test.later")
    async def later(self) -> str:
        await self.gate.wait()
        return "later"

    @register("test.raise")
    def fail(self) -> None:
        raise ValueError("a reason")

    @register("test.publish")
    def tell(self, skip: bool = False) -> str:
        self.publish("a.topic", {"image": self.addAttachment(b"\xff\xd8")}, skip_last_active_client=skip)
        return "result"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLINK_READY_MSG", "")


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def protocol(link: Link) -> Protocol:
    return Protocol(link)


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, protocol: Protocol) -> AsyncIterator[Place]:
    async with PLACES[request.param](protocol) as place:
        yield place


@pytest.fixture(params=ENDING)
async def ending(request: pytest.FixtureRequest, protocol: Protocol) -> AsyncIterator[Place]:
    async with PLACES[request.param](protocol) as place:
        yield place


@pytest.fixture(params=SHARED)
async def shared(request: pytest.FixtureRequest, protocol: Protocol) -> AsyncIterator[Place]:
    async with PLACES[request.param](protocol) as place:
        yield place


@both
async def test_values_come_back(place: Place, generation: int) -> None:
    peer = await place.connect(generation)
    args = [None, True, 2**53, 1.5, "ü€😀", b"\x00\xff", [[]], {"a": {"b": b""}}]
    assert await peer.call("test.echo", *args, name=b"x") == [args, {"name": b"x"}]
    nan, infinity = (await peer.call("test.echo", math.nan, -math.inf))[0]
    assert math.isnan(nan)
    assert infinity == -math.inf


@both
async def test_large_messages_come_back(place: Place, generation: int) -> None:
    peer = await place.connect(generation)
    data = bytes(range(256)) * 8192
    assert await peer.call("test.echo", data) == [[data], {}]


@both
@pytest.mark.parametrize("secret", ["wrong", None, 7])
async def test_a_wrong_secret_is_refused(place: Place, generation: int, secret: Any) -> None:
    peer = await place.dial(generation)
    with pytest.raises(Failure, match="Authentication failed"):
        await peer.hello(secret)
    with pytest.raises(Failure, match="Unauthorized"):
        await peer.call("test.echo")
    assert await peer.hello(SECRET)


@both
async def test_failures(place: Place, generation: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    peer = await place.connect(generation)
    for method, code in (("test.raise", -32001), ("test.unknown", -32601)):
        with pytest.raises(Failure) as failure:
            await peer.call(method)
        assert failure.value.code == code
    await peer.send({"wslink": "1.0", "id": "rpc:c1:9"})
    assert (await peer.answer("rpc:c1:9"))["error"]["code"] == -32600
    assert await peer.call("test.echo") == [[], {}]


@both
async def test_a_slow_call_holds_up_nobody(place: Place, link: Link, generation: int) -> None:
    peer = await place.connect(generation)
    slow = await peer.post("test.later")
    assert await peer.call("test.echo", 1) == [[1], {}]
    link.gate.set()
    assert (await peer.answer(slow))["result"] == "later"


@both
async def test_a_publication_comes_after_the_result(place: Place, generation: int) -> None:
    peer = await place.connect(generation)
    call = await peer.post("test.publish")
    assert (await peer.receive())["id"] == call
    assert await peer.publication("a.topic") == {"image": b"\xff\xd8"}


@both
async def test_publications_reach_all_but_the_caller(shared: Place, generation: int) -> None:
    caller, *others = [await shared.connect(generation) for _ in range(3)]
    await caller.call("test.publish", skip=True)
    for other in others:
        assert await other.publication("a.topic") == {"image": b"\xff\xd8"}
    assert await caller.everything("test.echo") == []


async def test_generations_meet(shared: Place, link: Link) -> None:
    peers = [await shared.connect(generation) for generation in (1, 2)]
    link.publish("a.topic", b"one")
    for peer in peers:
        assert await peer.publication("a.topic") == b"one"


@both
async def test_a_connection_is_heard_of_once(place: Place, link: Link, generation: int) -> None:
    peer = await place.connect(generation)
    assert peer.client_id is not None
    client_id = peer.client_id[1:]
    assert link.heard == [f"connect {client_id}"]
    await peer.close()
    await asyncio.wait_for(link.gone.wait(), 5)
    assert link.heard == [f"connect {client_id}", f"close {client_id}"]


async def test_nothing_stays_pending(place: Place, link: Link, protocol: Protocol) -> None:
    peer = await place.connect(2)
    for number in range(20):
        link.publish("a.topic", number)
    assert await peer.publications(20, "a.topic") == list(range(20))
    await peer.call("test.echo")
    await asyncio.wait_for(protocol.network_monitor.completion(), 5)
    assert protocol.network_monitor.pending == 0


async def test_stopping_ends_connections_and_calls(place: Place, link: Link) -> None:
    peer = await place.connect(2)
    await peer.post("test.later")
    await peer.call("test.echo")
    await place.server.stop()
    assert [entry.split()[0] for entry in link.heard] == ["connect", "close"]
    await place.server.stop()


async def test_application_exit_answers_then_stops(ending: Place, link: Link) -> None:
    peer = await ending.connect(2)
    assert await peer.call("application.exit") is None
    await asyncio.wait_for(link.gone.wait(), 5)
