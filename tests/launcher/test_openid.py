"""Signing in with a provider of this machine, which checks what RFC 6749, RFC 7636 and OpenID Connect have it check."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import RSAKey
from multidict import CIMultiDict
from yarl import URL

from tests.docs.blocks import block
from tests.launcher.provider import KEY, SECRET, Provider
from tests.launcher.support import Running, app, launching
from tests.ports import free_port
from wslink.errors import UsageError
from wslink.launcher.authentication import find_authenticator
from wslink.launcher.configuration import Authentication
from wslink.launcher.openid import OPTIONS
from wslink.launcher.source import read_source

TELL = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.headers.get("Cookie") or "no cookie").encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page)
print("it is ready", flush=True); server.serve_forever()
"""


@asynccontextmanager
async def signing_in(directory: Path, **options: Any) -> AsyncIterator[tuple[Provider, Running, aiohttp.ClientSession]]:
    """A provider, a launcher, and a browser that keeps cookies."""
    provider, port = Provider(), free_port()
    runner = await provider.start()
    (directory / "secret").write_text(SECRET)
    chosen = {
        "issuer": provider.issuer,
        "client_id": "viewers",
        "client_secret_file": str(directory / "secret"),
        "redirect_uri": f"http://127.0.0.1:{port}/paraview/login/callback",
        "claim": "email",
        **options,
    }
    authentication = {"type": "openid", "options": chosen}
    apps = {"tell": app(TELL, "${port}")}
    try:
        async with (
            launching(directory, port=port, authentication=authentication, apps=apps) as running,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
        ):
            yield provider, running, browser
    finally:
        await runner.cleanup()


async def test_a_user_signs_in_starts_a_session_and_signs_out(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as (_, running, browser):
        place = f"{running.url}/paraview"
        page = {"Accept": "text/html"}
        async with browser.get(f"{place}/applications") as response:
            assert response.status == 401
        async with browser.get(f"{place}/login", headers=page) as response:
            # The list of applications, after the way to the provider and back.
            assert (response.status, str(response.url)) == (200, f"{running.url}/")
            assert 'data-sign-in="offered"' in await response.text()
            assert [str(one.url).partition("?")[0].rpartition("/")[2] for one in response.history] == [
                *("login", "authorize", "callback")
            ]
            cookie = response.history[-1].cookies["wslink-user"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        async with browser.post(f"{place}/", json={"application": "tell"}) as response:
            assert response.status == 200
            session = await response.json()
        (only,) = running.launcher.sessions.values()
        assert only.client == "ada@example.org"
        async with browser.get(f"{place}/") as response:
            assert [one["id"] for one in (await response.json())["sessions"]] == [session["id"]]
        # A session never gets the cookies by which its user signs in.
        async with browser.get(f"{place}/session/{session['id']}/") as response:
            assert await response.text() == "no cookie"
        evil = {"Origin": "https://evil.example"}
        async with browser.post(f"{place}/logout", headers=evil) as response:
            assert response.status == 403
        async with browser.post(f"{place}/logout") as response:
            assert response.status == 200
        async with browser.get(f"{place}/applications") as response:
            assert response.status == 401


@pytest.fixture(autouse=True)
def every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log each refusal, however many of them tests before this one have caused."""
    monkeypatch.setattr(logging.getLogger("wslink.launcher.refused"), "filters", [])


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"exp": 1},
        {"aud": ["viewers", "another"], "azp": "another"},
        {"email": None},
        {"email": "ada\nof two lines"},
    ],
)
async def test_a_wrong_token_lets_nobody_in(
    tmp_path: Path, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with signing_in(tmp_path) as (provider, running, browser):
        provider.changes = changes
        await refused(running, browser, 403, caplog)
        assert any(why in record.getMessage() for record in caplog.records for why in ("ID token is wrong", "'email'"))


async def test_what_else_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with signing_in(tmp_path) as (provider, running, browser):
        place = f"{running.url}/paraview/login"
        provider.refuses = "access_denied"
        assert "access_denied" in await refused(running, browser, 403, caplog)
        page = await refused(running, browser, 403, caplog, {"Accept": "text/html"})
        assert "<title>Refused</title>" in page
        assert "access_denied" in page
        provider.refuses = "<script>"
        assert "script" not in await refused(running, browser, 403, caplog, {"Accept": "text/html"})
        provider.refuses, provider.key = "", RSAKey.generate_key(2048, {"kid": "one"})
        await refused(running, browser, 403, caplog)  # it is not the provider's key
        provider.key = KEY
        # Another browser began it: a page that leads somebody here signs nobody in as somebody else.
        async with browser.get(place, allow_redirects=False) as begun:
            state = URL(begun.headers["Location"]).query["state"]
        async with running.http.get(f"{place}/callback", params={"state": state, "code": "x"}) as response:
            assert response.status == 400
        async with browser.get(f"{place}/callback", params={"state": "x" * 43, "code": "x"}) as response:
            assert response.status == 400
        async with browser.get(f"{place}/callback", params={"state": state, "code": "guessed"}) as response:
            assert response.status == 403
        asked = {"state": state, "code": "x", "iss": "https://another.example"}
        async with browser.get(f"{place}/callback", params=asked) as response:
            assert response.status == 403
        cookie = begun.cookies["wslink-login"].value
        for wrong in (cookie, cookie[:-2], "x"):
            async with running.http.get(f"{place}/../", headers={"Cookie": f"wslink-user={wrong}"}) as response:
                assert response.status == 404


async def refused(
    running: Running,
    browser: aiohttp.ClientSession,
    status: int,
    caplog: pytest.LogCaptureFixture,
    headers: Mapping[str, str] | None = None,
) -> str:
    """What a sign-in is refused with: it is logged, without secrets, and lets nobody in."""
    caplog.clear()
    async with browser.get(f"{running.url}/paraview/login", headers=headers) as response:
        assert response.status == status
        answer = await response.text()
    text = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert "/paraview/login/callback" in text
    asked = response.url.query
    assert not any(secret in text + answer for secret in (SECRET, asked["state"], asked.get("code", asked["state"])))
    async with browser.get(f"{running.url}/paraview/applications") as response:
        assert response.status == 401
    return answer


async def test_a_provider_that_is_away_is_told_apart(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with (
        signing_in(tmp_path, issuer=away) as (_, running, browser),
        browser.get(f"{running.url}/paraview/login") as response,
    ):
        assert response.status == 502
        assert "does not answer" in await response.text()


async def test_launchers_with_one_key_take_each_others_users(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key that launchers share")
    options = {"issuer": "http://localhost", "client_id": "v", "redirect_uri": "http://h/x/login/callback"}
    shared = {**options, "key_file": str(tmp_path / "key")}
    one, two, other = (find_authenticator(Authentication("openid", each), ()) for each in (shared, shared, options))
    sealed = one._seal.close("wslink-user", 60, user="ada")
    old = one._seal.close("wslink-user", -1, user="ada")

    class Request:
        def __init__(self, value: str) -> None:
            self.headers = CIMultiDict({"Cookie": f"wslink-user={value}"})

    assert [each(Request(sealed)) for each in (one, two, other)] == ["ada", "ada", None]
    assert one(Request(old)) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"issuer": "http://provider.example"}, "https"),
        ({"claims": "email"}, "claims"),
        ({"client_id": None}, "client_id"),
        ({"redirect_uri": "/callback"}, "redirect_uri"),
        ({"client_secret_file": "/does/not/exist"}, "exist"),
    ],
)
def test_options_that_are_wrong_are_named(changes: dict[str, Any], told: str) -> None:
    options = {"issuer": "https://p.example", "client_id": "v", "redirect_uri": "https://h/x/login/callback", **changes}
    options = {name: value for name, value in options.items() if value is not None}
    with pytest.raises(UsageError, match=told):
        find_authenticator(Authentication("openid", options), ())


def test_the_documented_settings_are_right(tmp_path: Path) -> None:
    for name in ("openid-secret", "cookie-key"):
        (tmp_path / name).write_text("0123456789abcdef")
    text = block("docs/launcher.md", "toml", 5).replace("/etc/wslink", str(tmp_path))
    (tmp_path / "part.toml").write_text(text)
    setting = read_source(tmp_path / "part.toml").data["configuration"]["authentication"]
    assert find_authenticator(Authentication(setting["type"], setting["options"]), ()) is not None
    # Its table has every option.
    page = (Path(__file__).parents[2] / "docs" / "launcher.md").read_text().rpartition("## Signing in")[2]
    assert [name for name in OPTIONS if f"| `{name}` |" not in page] == []
