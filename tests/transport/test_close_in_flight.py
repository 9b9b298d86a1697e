"""Clients that close while much is on its way to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct

import pytest

from tests.conftest import Serve
from tests.transport.conftest import Connect
from tests.transport.raw import CLOSE, TEXT
from wslink import App
from wslink.transport import tcp

MIB = 1024 * 1024
CALL = json.dumps({"wslink": "1.0", "id": "rpc:c0:1", "method": "test.zeros", "args": [4 * MIB]}).encode()


async def test_the_close_is_answered_and_nothing_is_logged(
    app: App, engine: str, serve: Serve, sockets: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio ends a connection twice where it is closed while it resumes writing."""
    app.method("test.zeros")(lambda size: "0" * size)
    url = await serve(app, engine=engine)
    for pause in (0.0, 0.005, 0.02):
        socket = await sockets(url)
        socket.send(TEXT, CALL)
        await asyncio.sleep(pause)
        socket.send(CLOSE, struct.pack(">H", 1000))
        assert (await socket.receive_close())[0] == 1000
        assert await socket.ended()
    await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("told", [True, False])
async def test_a_client_that_vanishes_once_it_has_read_leaves_nothing_in_the_log(
    app: App, engine: str, serve: Serve, sockets: Connect, told: bool, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """asyncio ends a connection twice where a write fails while it resumes writing: the reset is the answer to the
    write before it. It resumes itself where the event loop does not tell when the kernel takes more."""
    monkeypatch.setattr(tcp, "TELLS", told and tcp.TELLS)
    app.method("test.zeros")(lambda size: "0" * size)
    url = await serve(app, engine=engine)
    for calls in (1, 2, 8):  # many hold up the reading of the connection, whose end is seen by writing alone
        socket = await sockets(url)
        socket.writer.transport.pause_reading()
        for _ in range(calls):
            socket.send(TEXT, CALL)
        await asyncio.sleep(0.05)
        descriptor = socket.writer.get_extra_info("socket").fileno()
        with contextlib.suppress(BlockingIOError):
            while os.read(descriptor, MIB):
                pass
        socket.close()
        await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
