"""What an error says of a server to which there is no connection: why, and what to do about it."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from wslink import App, ConnectionClosed

LISTENS = "; nothing listens there: is the server running, and is this its port?"


async def reason(url: str, **options: Any) -> str:
    """Why there is no connection to this URL."""
    with pytest.raises(ConnectionClosed) as closed:
        await wslink.connect(url, timeout=20, **options)
    assert closed.value.code == 1006
    assert closed.value.reason.startswith(f"{url}: ")
    return closed.value.reason.removeprefix(f"{url}: ")


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port that nobody else gets, and at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("proxied", [False, True])
async def test_nothing_listens(occupied: int, scheme: str, proxied: bool) -> None:
    proxy = f"http://127.0.0.1:{occupied}" if proxied else False
    told = await reason(f"{scheme}://127.0.0.1:{1 if proxied else occupied}/ws", proxy=proxy)
    assert told.startswith(f"Cannot connect to host 127.0.0.1:{occupied} ")
    assert told.endswith(LISTENS)


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT])
async def test_another_reason_is_not_taken_for_that(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(one: socket.socket, address: Any) -> None:
        raise OSError(number, f"Connect call failed {address}")  # as asyncio says it, of any error

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    told = await reason("ws://127.0.0.1:1/ws")
    assert "nothing listens" not in told
    assert told.endswith(f": {os.strerror(number)}")


async def test_a_server_without_tls(app: App, serve: Serve) -> None:
    url = await serve(app)
    told = await reason(url.replace("ws:", "wss:"))
    assert told.endswith("; the server does not speak TLS at this port: ws:// instead of wss://")


async def test_a_server_with_tls(app: App, serve: Serve) -> None:
    url = await serve(app, ssl="adhoc")
    told = await reason(url)
    assert told.endswith("; if the server speaks TLS at this port: wss:// instead of ws://")
    told = await reason(url.replace("ws:", "wss:"))
    assert re.search("CERTIFICATE_VERIFY_FAILED.*self.signed certificate", told)
    assert told.endswith("; connect(url, ssl=...) takes a context that trusts it, or False for any certificate")


async def test_and_what_it_advises_helps(app: App, serve: Serve) -> None:
    url = (await serve(app, ssl="adhoc")).replace("ws:", "wss:")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for trusting in (False, context):
        async with wslink.connect(url, secret="secret", ssl=trusting) as link:
            assert link.state == "open"


AT_A_PATH = "; it has no WebSocket at this path: that of a server is /ws unless its settings say otherwise"


async def test_a_path_without_a_websocket_and_a_page_that_is_refused(app: App, serve: Serve) -> None:
    url = await serve(app)
    told = await reason(url.replace("/ws", "/other"))
    assert told.startswith("the server responded with 404 (")
    assert told.endswith(AT_A_PATH)
    told = await reason(url, headers={"Origin": "http://evil.example"})
    assert told.startswith("the server responded with 403 (")
    assert told.endswith("; the server's log says why")
