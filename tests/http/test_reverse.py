"""Clients that use a reverse connection one after another: nobody inherits what another was granted (defect 28)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.released.peer import PEERS, Closed, Failure
from tests.released.serving import Protocol
from tests.transport.places import GENERATIONS, Place, reverse
from wslink import register
from wslink.http.reverse import NEW_PEER
from wslink.websocket import LinkProtocol


class Link(LinkProtocol):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.gate = asyncio.Event()

    def onConnect(self, request: Any, client_id: str) -> None:
        self.heard.append("connect")

    def onClose(self, client_id: str) -> None:
        self.heard.append("close")

    @register("test.echo")
    def echo(self, value: Any = None) -> Any:
        return value

    @register("test.later")
    async def later(self) -> str:
        await self.gate.wait()
        return "a secret of the first"


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
async def place(link: Link, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setenv("WSLINK_READY_MSG", "")
    async with reverse(Protocol(link)) as place:
        yield place


async def test_a_hello_begins_anew(place: Place, link: Link) -> None:
    peer = await place.connect(2)
    with pytest.raises(Failure, match="Authentication failed"):
        await peer.hello("wrong")
    with pytest.raises(Failure, match="Unauthorized"):
        await peer.call("test.echo")
    await peer.hello()
    assert await peer.call("test.echo", 1) == 1
    assert link.heard == ["connect", "close", "connect"]


@pytest.mark.parametrize("generation", [1, 2])
async def test_a_relay_may_tell_of_another_client(place: Place, link: Link, generation: int) -> None:
    peer = await place.connect(2)
    await peer.frames.ping(b"")
    assert await peer.call("test.echo", 1) == 1
    await peer.frames.ping(NEW_PEER)
    with pytest.raises(Failure, match="Unauthorized"):
        await peer.call("test.echo")
    await peer.frames.ping(NEW_PEER)  # now of any generation
    other = PEERS[GENERATIONS[generation]](peer.frames)
    await other.hello()
    assert await other.call("test.echo", 2) == 2


@pytest.mark.parametrize("comes", ["with a message", "as the relay tells"])
async def test_a_client_has_to_say_hello_in_time(link: Link, monkeypatch: pytest.MonkeyPatch, comes: str) -> None:
    monkeypatch.setenv("WSLINK_READY_MSG", "")
    monkeypatch.setenv("WSLINK_HELLO_TIMEOUT", "0.4")
    async with reverse(Protocol(link)) as place:
        peer = await place.connect(2)
        await asyncio.sleep(0.8)  # who has said hello may be silent
        if comes == "with a message":
            with pytest.raises(Failure, match="Authentication failed"):
                await peer.hello("wrong")
        else:
            await peer.frames.ping(NEW_PEER)
        with pytest.raises(Closed, match="1008"):
            for _ in range(20):
                await asyncio.sleep(0.1)
                with pytest.raises(Failure, match="Unauthorized"):
                    await peer.call("test.echo")


async def test_an_answer_to_one_client_does_not_reach_the_next(place: Place, link: Link) -> None:
    peer = await place.connect(2)
    await peer.post("test.later")
    await peer.call("test.echo")
    await peer.hello()
    link.gate.set()
    assert await peer.everything("test.echo") == []
