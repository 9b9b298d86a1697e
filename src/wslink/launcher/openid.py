"""Signing in with OpenID Connect: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1;
RFC 7636; RFC 9207). Authlib checks ID tokens; joserfc checks signatures and encrypts cookies.

No state of a sign-in is kept here: it is in a cookie of the browser that started it, encrypted for this launcher, and
so is the user's identity afterwards. Launchers that share a key accept each other's cookies.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from wslink.errors import RequestRefused, UsageError
from wslink.http.sparse import sparse_logger
from wslink.http.tokens import MIN_TOKEN, read_text, same
from wslink.launcher.addresses import SIGN_IN, cookie_of
from wslink.launcher.provider import Provider

refusals: logging.Logger = sparse_logger("wslink.launcher.refused")
logger: logging.Logger = logging.getLogger("wslink.launcher")

USER, LOGIN = SIGN_IN
"""Cookies: who has signed in, and what a sign-in has begun with."""
LOGIN_TIME = 600.0
"""Seconds that a sign-in may take."""
SESSION_TIME = 8 * 3600.0
"""Seconds after which a user has to sign in again, unless `session_time` says so."""
MAX_SESSION_TIME = 10 * 366 * 86_400
"""Seconds that `session_time` may be at most: ten years."""
OPTIONS = ("issuer", "client_id", "client_secret_file", "redirect_uri", "scope", "claim", "key_file", "session_time")


_PROCESS_KEY = secrets.token_bytes(32)


class Seal:
    """Encrypts what a browser keeps for the launcher, which it can neither read nor change (JWE, A256GCM).

    Args:
        key: at least 16 characters; if empty, a random key of this process.
    """

    def __init__(self, key: str) -> None:
        self._key = OctKey.import_key(_derived(key) if key else _PROCESS_KEY)

    def close(self, kind: str, seconds: float, **values: str) -> str:
        """Encrypt the values, valid for this many seconds."""
        text = json.dumps({**values, "kind": kind, "until": time.time() + seconds})
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, text, self._key)

    def open(self, kind: str, sealed: str) -> dict[str, str]:
        """Decrypt what was encrypted as `kind`; None if it is too old, foreign or modified."""
        if not sealed:
            return {}
        try:
            values = json.loads(jwe.decrypt_compact(sealed, self._key, ["dir", "A256GCM"]).plaintext or b"")
        except (JoseError, ValueError):
            return {}
        return values if values["kind"] == kind and values["until"] > time.time() else {}


class OpenIDConnect:
    """Authenticates by the cookie of a user who has signed in. The launcher serves `login`, `callback` and `logout`.

    Args:
        options: those of the configuration's `authentication`.

    Raises:
        KeyError: an option is missing. The message names it.
        ValueError: an option is not valid.
        OSError: a file cannot be read.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        unknown = set(options) - {*OPTIONS, "trusted_proxies"}
        if unknown:
            raise ValueError(f"there is no option {min(unknown)!r}")
        self._client, self._redirect = str(options["client_id"]), str(options["redirect_uri"])
        secret = _secret(options, "client_secret_file")
        self._provider = Provider(str(options["issuer"]), self._client, secret)
        self._scope, self._claim = str(options.get("scope", "openid")), str(options.get("claim", "sub"))
        self._seconds = float(options.get("session_time", SESSION_TIME))
        if not 0 < self._seconds <= MAX_SESSION_TIME:
            raise ValueError(f"session_time is a number of seconds over 0, of ten years at most, not {self._seconds:g}")
        self._seal = Seal(_secret(options, "key_file"))
        if urlsplit(self._redirect).scheme not in ("http", "https"):
            raise ValueError("redirect_uri is the address of the launcher's login/callback, as browsers see it")

    def __call__(self, request: web.Request) -> str | None:
        sealed = cookie_of(request.headers.getall("Cookie", ()), USER)
        return self._seal.open(USER, sealed).get("user")

    async def login(self, request: web.Request) -> web.Response:
        """Redirect to the provider."""
        place = (await self._provider.metadata())["authorization_endpoint"]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = create_s256_code_challenge(verifier)
        location = prepare_grant_uri(
            place, self._client, "code", self._redirect, self._scope, state,
            nonce=nonce, code_challenge=challenge, code_challenge_method="S256",
        )  # fmt: skip
        sealed = self._seal.close(LOGIN, LOGIN_TIME, state=state, nonce=nonce, verifier=verifier)
        return self._led(location, LOGIN, sealed, LOGIN_TIME)

    async def callback(self, request: web.Request) -> web.Response:
        """Handle the provider's response to a sign-in, and redirect to the list of applications.

        Raises:
            RequestRefused: with 400 if this browser has not started it, with 403 if the provider refuses or its
                response is not valid, with 502 if it does not respond.
        """
        asked, begun = request.query, self._seal.open(LOGIN, cookie_of(request.headers.getall("Cookie", ()), LOGIN))
        if not same(asked.get("state", ""), begun.get("state", "")):
            raise RequestRefused("This sign-in was begun elsewhere, or took too long. Begin again.", 400)
        if "error" in asked:
            raise RequestRefused(f"The identity provider refused the sign-in: {_word(asked['error'])}", 403)
        if asked.get("iss", self._provider.issuer) != self._provider.issuer:
            raise RequestRefused("This answer is another identity provider's", 403)
        claims = await self._provider.claims(asked.get("code", ""), begun["verifier"], self._redirect, begun["nonce"])
        user = claims.get(self._claim)
        if not isinstance(user, str) or not user or not user.isprintable():
            raise RequestRefused(f"The identity provider does not tell {self._claim!r} of this user", 403)
        logger.info("%.80s has signed in", user)
        # Relative, so that it holds below any path that a proxy puts before it.
        home = "../" * (request.path.count("/") - 1)
        response = self._led(home, USER, self._seal.close(USER, self._seconds, user=user), self._seconds)
        response.del_cookie(LOGIN, path="/")
        return response

    def logout(self) -> web.Response:
        response = web.json_response({}, headers={"Cache-Control": "no-store"})
        response.del_cookie(USER, path="/")
        return response

    def _led(self, location: str, cookie: str, value: str, seconds: float) -> web.Response:
        response = web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})
        secure = self._redirect.startswith("https:")
        # Lax: the provider's page redirects back to here.
        response.set_cookie(cookie, value, max_age=int(seconds), path="/", httponly=True, secure=secure, samesite="Lax")
        return response


def _secret(options: Mapping[str, Any], name: str) -> str:
    if name not in options:
        return ""
    text = read_text(Path(str(options[name]))).strip()
    if len(text) < MIN_TOKEN:
        raise UsageError(f"authentication 'openid': {name} holds less than {MIN_TOKEN} characters")
    return text


def _derived(key: str) -> bytes:
    from hashlib import sha256

    return sha256(b"wslink launcher cookies " + key.encode()).digest()


def _word(text: str) -> str:
    """An OAuth error code for logs and responses; anything else is not shown."""
    return text if re.fullmatch(r"\w{1,60}", text, re.ASCII) else "it does not say why"
