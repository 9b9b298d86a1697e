"""Hellos that are sent before the first of them is answered (LIM-8)."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.conftest import Serve
from tests.transport.raw import TEXT, RawSocket
from wslink import App, Credentials, Identity


def hello(secret: str, number: int = 0) -> bytes:
    envelope = {"wslink": "1.0", "id": f"system:c0:{number}", "method": "wslink.hello", "args": [{"secret": secret}]}
    return json.dumps(envelope).encode()


class Slow:
    """An application that takes its time to say who a client is.

    Attributes:
        most: how many it was asked about at a time.
    """

    def __init__(self) -> None:
        self.app = App()
        self.most = self._asked = 0
        self.go = asyncio.Event()
        self.app.authenticate(self._authenticate)

    async def _authenticate(self, credentials: Credentials) -> Identity | None:
        self._asked += 1
        self.most = max(self.most, self._asked)
        try:
            await self.go.wait()
        finally:
            self._asked -= 1
        return Identity("ada") if credentials.secret == "hers" else None


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_connection_asks_about_few_at_a_time(engine: str, serve: Serve) -> None:
    slow = Slow()
    url = await serve(slow.app, engine=engine)
    socket, other = await RawSocket.open(url), await RawSocket.open(url)
    other.send(TEXT, hello("hers"))
    for number in range(2_000):
        socket.send(TEXT, hello("hers", number))
    code, reason = await socket.receive_close()
    assert code == 1008
    assert "max_hellos" in reason
    assert slow.most <= 11
    slow.go.set()
    assert "result" in json.loads((await other.receive()).payload)
    for one in (socket, other):
        one.close()


async def test_a_hello_that_is_sent_again_in_time_is_answered(serve: Serve) -> None:
    slow = Slow()
    socket = await RawSocket.open(await serve(slow.app))
    for number in range(3):
        socket.send(TEXT, hello("hers", number))
    await asyncio.sleep(0.05)
    slow.go.set()
    assert ["result" in json.loads((await socket.receive()).payload) for _ in range(3)] == [True] * 3
    socket.close()
