"""Heads of WebSockets' requests: those that are read in place, and those that aiohttp reads, come to the same."""

from __future__ import annotations

import time

import pytest

from tests.conftest import Serve
from tests.http.test_fast_path import answer
from wslink import App
from wslink.http.heads import read_head
from wslink.transport.private import parse_head

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ["Host: here", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", KEY]

HEADS = {
    "a browser's": [*UPGRADE, "Origin: http://here:1", "User-Agent: Mozilla/5.0 (X11; Linux) A/1", "Cookie: a=b; c=d"],
    "without a Host": UPGRADE[1:],
    "a header twice": [*UPGRADE, "Cookie: a=b", "cookie: c=d"],
    "a space before the colon": [*UPGRADE, "X : y"],
    "no space after it": [*UPGRADE, "X:y"],
    "spaces around the value": [*UPGRADE, "X:  y  "],
    "a tab": [*UPGRADE, "X: y\tz"],
    "nothing": [*UPGRADE, "X: "],
    "another letter": [*UPGRADE, "X: \u00e9"],
    "a control character": [*UPGRADE, "X: a\x01b"],
    "a carriage return": [*UPGRADE, "X: a\rY: b"],
    "a line feed": [*UPGRADE, "X: a\nY: b"],
    "a folded line": [*UPGRADE, "X: a", " b"],
    "no colon": [*UPGRADE, "X"],
    "an underscore": [*UPGRADE, "X_Y: z"],
    "too many": [*UPGRADE, *(f"X-{number}: y" for number in range(130))],
    "a body": [*UPGRADE, "Content-Length: 3"],
    "chunks": [*UPGRADE, "Transfer-Encoding: chunked"],
}


@pytest.mark.parametrize("target", ["/ws", "/ws?a=b&c=%20", "/ws#a", "/ws?<", "http://here/ws"])
@pytest.mark.parametrize("lines", HEADS.values(), ids=HEADS)
async def test_a_head_is_read_as_aiohttp_reads_it(lines: list[str], target: str) -> None:
    head = "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode()
    found, known = read_head(head), parse_head(head)
    assert (found is None) == (known is None)
    assert found is None or known is None or list(found.items()) == list(known.items())


@pytest.mark.parametrize("lines", HEADS.values(), ids=HEADS)
async def test_later_connections_are_answered_as_the_first_is(app: App, serve: Serve, lines: list[str]) -> None:
    url = await serve(app, engine="picows")
    first = (await answer(url, "GET /ws HTTP/1.1", *lines)).split()[1]
    assert "101" in await answer(url, "GET /ws HTTP/1.1", *UPGRADE)
    assert (await answer(url, "GET /ws HTTP/1.1", *lines)).split()[1] == first


def test_a_long_query_takes_no_longer_than_a_long_header() -> None:
    """It held up all others for a second and more."""
    began = time.thread_time()
    for letters in ("q", "q=1&", "-", ":"):
        target = f"/ws?{letters * (16_000 // len(letters))}"
        head = "\r\n".join([f"GET {target} HTTP/1.1", *UPGRADE, "", ""]).encode()
        found = read_head(head)
        assert found is not None
        assert list(found.items()) == [tuple(line.split(": ")) for line in UPGRADE]
    assert time.thread_time() - began < 1  # of the processor; it is a millisecond
