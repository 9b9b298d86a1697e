"""docs/troubleshooting.md says what servers answer and log."""

from __future__ import annotations

import json
import logging
import re

import aiohttp
import pytest

from tests.conftest import Open, Serve
from tests.docs.blocks import ROOT
from wslink import App
from wslink.wire.limits import Limits

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ROWS = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in PAGE.splitlines() if line.startswith("| ")]
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

HELLO = json.dumps({"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "wrong"}]})


def described(code: int, told: str) -> bool:
    """Whether the page has a row for a code with a text that is part of what was told, but for what … stands for."""
    for codes, text, _ in ROWS:
        for quoted in re.findall("`([^`]+)`", text):
            pattern = ".*".join(map(re.escape, quoted.split("…")))
            if str(code) in codes.split(", ") and re.search(pattern, told):
                return True
    return False


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Origin": "https://page.example"}),
        (421, {"Host": "foreign.example"}),
        (431, {"Cookie": "a=" + "x" * 30_000}),
    ],
)
async def test_a_refused_handshake_is_found_in_the_log(
    app: App, serve: Serve, status: int, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    url = (await serve(app, hosts="known.example,127.0.0.1")).replace("ws://", "http://")
    async with aiohttp.ClientSession() as http:
        with caplog.at_level(logging.WARNING):
            async with http.get(url, headers={**UPGRADE, **headers}) as answer:
                assert answer.status == status
    assert described(status, caplog.text)


async def test_a_client_too_many_is_found_in_the_log(
    serve: Serve, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    url = await serve(App(secret="secret", limits=Limits(max_clients=1)))
    await peers(url, hello={})
    with caplog.at_level(logging.WARNING), pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await peers(url, hello={})
    assert refused.value.status == 503
    assert described(503, caplog.text)


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (1009, ["x" * 70_000]),
        (1008, ["{"] * 101),
        (1008, [HELLO] * 10),
    ],
    ids=["size", "malformed", "secret"],
)
async def test_a_close_tells_its_reason(app: App, serve: Serve, peers: Open, code: int, sent: list[str]) -> None:
    peer = await peers(await serve(app), 1)
    for text in sent:
        await peer.socket.send_str(text)
    while (message := await peer.socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type is aiohttp.WSMsgType.TEXT
    assert message.data == code
    assert described(code, str(message.extra))
