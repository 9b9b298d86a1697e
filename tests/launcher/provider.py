"""An OpenID provider of this machine, which checks what RFC 6749, RFC 7636 and OpenID Connect have it check.

`python -m tests.launcher.provider` serves one that asks whoever comes with a browser.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections import Counter
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey
from yarl import URL

SECRET = "the secret of the launcher"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
PAGE = """<!doctype html><title>A provider</title>
<button onclick="location.search += '&decision=allow'">Sign in as Ada</button>
<button onclick="location.search += '&decision=refuse'">Refuse</button>"""


class Provider:
    """An OpenID provider at which `user` has signed in already. `changes` of its ID tokens, its `key` and `refuses`
    make it a wrong one. One that `asks` shows a page with two buttons, and does what is pressed. It counts what it is
    `asked` for, and takes `delay` seconds to answer."""

    def __init__(self, asks: bool = False) -> None:
        self.asks = asks
        self.user = {"sub": "0815", "email": "ada@example.org"}
        self.changes: dict[str, Any] = {}
        self.key, self.refuses, self.answer = KEY, "", {}
        self.asked: Counter[str] = Counter()
        self.delay = 0.0
        self._codes: dict[str, dict[str, str]] = {}

    async def start(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._metadata)
        application.router.add_get("/authorize", self._authorize)
        application.router.add_post("/token", self._token)
        application.router.add_get("/keys", self._keys)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _metadata(self, request: web.Request) -> web.Response:
        await self._count("metadata")
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return web.json_response(told)

    async def _count(self, what: str) -> None:
        self.asked[what] += 1
        await asyncio.sleep(self.delay)

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        if self.asks and "decision" not in asked:
            return web.Response(text=PAGE, content_type="text/html")
        assert (asked["response_type"], asked["client_id"]) == ("code", "viewers")
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self._codes[code] = dict(asked)
        refuses = "access_denied" if asked.get("decision") == "refuse" else self.refuses
        told = {"error": refuses} if refuses else {"code": code, "iss": self.issuer}
        raise web.HTTPFound(URL(asked["redirect_uri"]).with_query({"state": asked["state"], **told}))

    async def _token(self, request: web.Request) -> web.Response:
        await self._count("token")
        form = await request.post()
        asked = self._codes.pop(str(form["code"]), None)  # a code is good for once
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        if asked is None or [unquote_plus(part) for part in login.split(":")] != ["viewers", SECRET]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert create_s256_code_challenge(str(form["code_verifier"])) == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "viewers", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **self.user, **self.changes}, self.key)
        return web.json_response({"access_token": "of no use here", "token_type": "Bearer", "id_token": token})

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [KEY.as_dict(private=False)]})


async def main() -> None:
    provider = Provider(asks=True)
    await provider.start()
    print(f"serving on {provider.issuer}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
