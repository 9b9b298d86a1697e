"""An OpenID provider: its metadata, its keys, and its claims about users."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit

import aiohttp
from authlib.common.errors import AuthlibBaseError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from wslink.errors import RequestRefused
from wslink.launcher.ports import is_local

logger: logging.Logger = logging.getLogger("wslink.launcher")

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""How ID tokens may be signed: by keys that only the provider has."""
TIMEOUT = 10.0
"""Seconds that a provider has to answer."""
MOST = 1 << 20
"""Bytes of an answer, at most."""
LEEWAY = 60
"""Seconds by which clocks may differ."""
MOST_ASKED = 32
"""Answers that are waited for at a time; who needs another is refused meanwhile."""
KEEP = 3600.0
"""Seconds after which metadata and keys are asked for again."""


class Provider:
    """Queries a provider, for the first time when somebody signs in.

    Args:
        issuer: its address, as in its tokens.
        client: the launcher's client id.
        secret: the launcher's client secret; empty for a public client.

    Raises:
        ValueError: the address is neither https nor on this machine.
    """

    def __init__(self, issuer: str, client: str, secret: str) -> None:
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_local(parts.hostname or "-")):
            raise ValueError("issuer has to be an https address")
        self.issuer = issuer
        self._client = client
        self._secret = secret
        self._metadata: tuple[float, dict[str, Any]] = (-KEEP, {})
        self._keys: tuple[float, KeySet] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._asked = 0

    async def metadata(self) -> dict[str, Any]:
        """The provider's metadata (OpenID Connect Discovery 1.0), read once for all concurrent callers. Raises
        RequestRefused."""
        if time.monotonic() - self._metadata[0] > KEEP:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.get_running_loop().create_task(self._read_metadata())
                self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
            await asyncio.shield(self._reading)
        return self._metadata[1]

    async def _read_metadata(self) -> None:
        told = await self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if told.get("issuer") != self.issuer or not all(isinstance(told.get(name), str) for name in needed):
            raise _wrong("its metadata names another issuer, or lacks an endpoint")
        self._metadata = time.monotonic(), told

    async def claims(self, code: str, verifier: str, redirect: str, nonce: str) -> dict[str, Any]:
        """The provider's claims about the user, for an authorization code.

        Raises:
            RequestRefused: with 403 if the provider rejects the code or its response is not valid, with 502 if it does
                not respond.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        headers = {"Authorization": self._login()} if self._secret else {}
        if not self._secret:
            form["client_id"] = self._client
        told = await self._ask("POST", (await self.metadata())["token_endpoint"], data=form, headers=headers)
        text = told.get("id_token")
        if not isinstance(text, str):
            raise _wrong("it sent no ID token")
        try:
            token = await self._verified(text)
            expected = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client},
            }
            given = {"nonce": nonce, "client_id": self._client, "access_token": told.get("access_token")}
            claims = CodeIDToken(token.claims, token.header, expected, given)
            claims.validate(leeway=LEEWAY)
        except (JoseError, AuthlibBaseError, ValueError) as error:
            raise _wrong(f"its ID token is wrong: {getattr(error, 'error', 'it is malformed')}") from error
        return dict(claims)

    def _login(self) -> str:
        """client_secret_basic (RFC 6749, 2.3.1): both parts are form-encoded."""
        pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    async def _verified(self, text: str) -> jwt.Token:
        """The token, if one of the provider's keys signed it. If none did, the keys are fetched again."""
        fresh = self._keys is None or time.monotonic() - self._keys[0] > KEEP
        keys = await self._key_set(again=fresh)
        try:
            return jwt.decode(text, keys, ALGORITHMS)
        except (JoseError, ValueError):
            if fresh:
                raise
        return jwt.decode(text, await self._key_set(again=True), ALGORITHMS)

    async def _key_set(self, again: bool) -> KeySet:
        if self._keys is None or again:
            told: Any = await self._ask("GET", (await self.metadata())["jwks_uri"])
            self._keys = time.monotonic(), KeySet.import_key_set(told)
        return self._keys[1]

    async def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """Fetch JSON. Neither request nor response is logged, since they contain secrets."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        if self._asked >= MOST_ASKED:
            raise RequestRefused("Many sign in at this moment; try again later", 503)
        self._asked += 1
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.request(method, url, allow_redirects=False, **options) as response,
            ):
                text = await response.content.read(MOST)
                while not response.content.at_eof() and len(text) < MOST:
                    text += await response.content.read(MOST - len(text))
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            logger.warning("the identity provider %s does not answer: %s", self.issuer, type(error).__name__)
            raise RequestRefused("The identity provider does not answer; try again later", 502) from error
        finally:
            self._asked -= 1
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if response.status != 200 or not isinstance(told, dict):
            raise _wrong(f"{urlsplit(url).path} is answered with {response.status}")
        return told


def _wrong(why: str) -> RequestRefused:
    logger.warning("a sign-in failed at the identity provider: %s", why)
    return RequestRefused("The identity provider does not confirm this sign-in", 403)
