from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.launcher.support import Running, launching
from wslink.errors import UsageError
from wslink.launcher.authentication import find_authenticator
from wslink.launcher.configuration import Authentication

KEY = "a key of at least thirty-two bytes, as HS256 has it"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token(**changes: Any) -> str:
    claims = {"sub": "ada", "exp": time.time() + 60, "aud": "wslink", **changes}
    return jwt.encode({key: value for key, value in claims.items() if value is not None}, KEY, "HS256")


async def status(running: Running, headers: dict[str, str] | None = None) -> int:
    return (await running.post("good", headers=headers))[0]


async def test_a_header_of_a_trusted_proxy(tmp_path: Path) -> None:
    setting = {"type": "header", "options": {"name": "X-User"}}
    async with launching(tmp_path / "a", authentication=setting) as running:
        assert await status(running) == 401
        assert await status(running, {"X-User": "ada"}) == 200
    async with launching(tmp_path / "b", authentication=setting, trusted_proxies=["10.0.0.0/8"]) as running:
        assert await status(running, {"X-User": "ada"}) == 401


async def test_bearer_tokens_and_whose_session_it_is(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("ada 0123456789abcdef\nbob fedcba9876543210\n")
    setting = {"type": "bearer", "options": {"token_file": str(tmp_path / "tokens")}}
    ada, bob = bearer("0123456789abcdef"), bearer("fedcba9876543210")
    async with launching(tmp_path, authentication=setting, sessions_per_client=1) as running:
        for wrong in ({}, bearer("0123456789abcdex"), {"Authorization": "0123456789abcdef"}):
            assert await status(running, wrong) == 401
        _, session = await running.post("good", headers=ada)
        assert await status(running, ada) == 429
        assert await status(running, bob) == 200
        assert (await running.ask("GET", session["id"], headers=ada))[0] == 200
        assert (await running.ask("GET", session["id"], headers=bob))[0] == 400
        assert (await running.ask("DELETE", session["id"], headers=bob))[0] == 404
        assert (await running.ask("DELETE", session["id"]))[0] == 401
        assert (await running.ask("DELETE", session["id"], headers=ada))[0] == 200


async def test_json_web_tokens(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    options = {"key_file": str(tmp_path / "key"), "algorithms": ["HS256"], "audience": "wslink"}
    async with launching(tmp_path, authentication={"type": "jwt", "options": options}) as running:
        assert await status(running, bearer(token())) == 200
        none = jwt.encode({"sub": "ada", "exp": time.time() + 60, "aud": "wslink"}, "", "none")
        for wrong in (
            token(exp=time.time() - 1),
            token(exp=None),
            token(aud="x"),
            token(sub=None),
            token()[:-2],
            none,
            "",
        ):
            assert await status(running, bearer(wrong)) == 401


def hook(options: dict[str, Any]) -> Any:
    """A hook of the user's own."""
    return lambda request: request.headers.get(options["name"])


def careless(options: dict[str, Any]) -> Any:
    """Gives, in place of a user, what is no user's name."""

    async def later() -> str:
        return "ada"

    given: dict[str, Any] = {"yes": True, "empty": "", "bytes": b"ada", "later": later(), "line": "a\nb"}
    return lambda request: given[request.headers["X-Given"]]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_what_is_no_name_of_a_user_lets_nobody_in(tmp_path: Path) -> None:
    setting = {"type": "tests.launcher.test_authentication:careless"}
    async with launching(tmp_path, authentication=setting, content=str(tmp_path), get=True) as running:
        for given in ("yes", "empty", "bytes", "later", "line"):
            assert await status(running, {"X-Given": given}) == 401, given


async def test_a_hook_of_ones_own(tmp_path: Path) -> None:
    setting = {"type": f"{__name__}:hook", "options": {"name": "X-Mine"}}
    async with launching(tmp_path, authentication=setting) as running:
        assert await status(running) == 401
        assert await status(running, {"X-Mine": "ada"}) == 200


@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        ("magic", {}, "one of header, bearer, jwt, openid, or package.module:name"),
        ("header", {}, "'name' is missing"),
        ("bearer", {"token_file": "/does/not/exist"}, "No such file"),
        ("nowhere:x", {}, "No module named 'nowhere'"),
    ],
)
def test_settings_that_cannot_be_followed(kind: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        find_authenticator(Authentication(kind, options), ())


async def test_the_administrator_lists_and_stops_all(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    admin = bearer("0123456789abcdef")
    async with launching(tmp_path, admin_token_file=str(tmp_path / "token"), delete=False, get=False) as running:
        session = await running.start("good")
        _, listed = await running.ask("GET", headers=admin)
        (one,) = listed["sessions"]
        assert (one["id"], one["application"], one["state"]) == (session["id"], "good", "ready")
        assert (await running.ask("GET", session["id"], headers=admin))[0] == 200
        assert (await running.ask("DELETE", session["id"], headers=admin))[0] == 200
        assert (await running.ask("GET", headers=admin))[1]["sessions"] == []
