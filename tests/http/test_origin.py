"""Which pages may connect, and which may without a secret."""

from __future__ import annotations

import aiohttp
import pytest

from tests.conftest import Open, Serve
from wslink import App
from wslink.http.origin import is_allowed, is_local_page


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://a.org", "Host": "a.org"}, True),
        ({"Origin": "http://A.org", "Host": "a.ORG"}, True),
        ({"Origin": "https://a.org", "Host": "a.org"}, True),
        ({"Origin": "https://a.org", "Host": "a.org:443"}, True),
        ({"Origin": "http://a.org:8080", "Host": "a.org:8080"}, True),
        ({"Origin": "http://[::1]:8080", "Host": "[::1]:8080"}, True),
        ({"Origin": "http://a.org:8080", "Host": "a.org"}, False),
        ({"Origin": "http://evil.org", "Host": "a.org"}, False),
        ({"Origin": "http://a.org.evil.org", "Host": "a.org"}, False),
        ({"Origin": "http://a.org@evil.org", "Host": "a.org"}, False),
        ({"Origin": "http://localhost:1234", "Host": "localhost:8080"}, False),
        ({"Origin": "null", "Host": "a.org"}, False),
        ({"Origin": "", "Host": ""}, False),
        ({"Origin": "file://", "Host": "a.org"}, False),
        ({"Origin": "http://a.org:port", "Host": "a.org:port"}, False),
        ({"Origin": "https://a.org", "Host": "10.0.0.1:8080", "X-Forwarded-Host": "a.org"}, True),
        ({"Origin": "https://a.org", "Host": "10.0.0.1:8080", "X-Forwarded-Host": "a.org, b.org"}, True),
        ({"Origin": "https://a.org", "Host": "10.0.0.1", "Forwarded": 'for=1.2.3.4;host="a.org";proto=https'}, True),
        ({"Origin": "https://evil.org", "Host": "10.0.0.1", "X-Forwarded-Host": "a.org"}, False),
        ({"Origin": "https://friend.org", "Host": "a.org"}, True),
        ({"Origin": "http://friend.org", "Host": "a.org"}, False),
        ({"Origin": "http://localhost:5173", "Host": "a.org"}, False),
        ({"Origin": "http://127.0.0.1:5173", "Host": "a.org"}, True),
        ({"Origin": "https://127.0.0.1:5173", "Host": "a.org"}, False),
    ],
)
def test_origins(headers: dict[str, str], allowed: bool) -> None:
    assert is_allowed(headers, ["https://friend.org/", "http://127.0.0.1:*"]) is allowed
    assert is_allowed(headers, ["*"])


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080"}, True),
        ({"Origin": "http://127.0.0.2:8080", "Host": "127.0.0.2:8080"}, True),
        ({"Origin": "http://app.localhost:8080", "Host": "app.localhost:8080"}, True),
        ({"Host": "localhost:8080"}, False),
        ({"Origin": "http://localhost:1234", "Host": "localhost:8080"}, False),
        # A foreign name that was made to resolve to 127.0.0.1 has the same origin, too.
        ({"Origin": "http://evil.org:8080", "Host": "evil.org:8080"}, False),
        # Somebody else's browser, behind a proxy on this machine.
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080", "X-Forwarded-For": "10.0.0.9"}, False),
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080", "X-Forwarded-Host": "localhost:8080"}, False),
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080", "Forwarded": "for=10.0.0.9"}, False),
    ],
)
def test_pages_that_need_no_secret(headers: dict[str, str], local: bool) -> None:
    assert is_local_page(headers) is local


async def test_a_foreign_page_is_refused_at_the_handshake(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app, origins="https://friend.org")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await peers(url, headers={"Origin": "http://evil.org"})
    assert refused.value.status == 403
    assert "result" in await (await peers(url, headers={"Origin": "https://friend.org"})).hello("secret")


async def test_a_page_of_this_machine_needs_no_secret_unless_one_was_set(serve: Serve, peers: Open) -> None:
    for app, opens in ((App(), True), (App(secret="set"), False)):
        url = await serve(app)
        peer = await peers(url, headers={"Origin": url.replace("ws://", "http://").removesuffix("/ws")})
        assert ("result" in await peer.hello(...)) is opens
        assert "error" in await peer.hello(None)


async def test_a_page_needs_the_secret_where_others_can_reach_the_server(serve: Serve, peers: Open) -> None:
    url = await serve(App(), host="0.0.0.0")
    peer = await peers(url, headers={"Origin": url.replace("ws://", "http://").removesuffix("/ws")})
    assert "error" in await peer.hello(...)
