"""Authentication of requests by the server's secret, in addition to that of clients."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING

from wslink.hub.authentication import Authentication
from wslink.session.identity import ANONYMOUS, Credentials, Identity, Opening

if TYPE_CHECKING:
    from aiohttp import web


class Holders:
    """Checks the secret wherever it is asked for. Guessing is slowed down as at hello, and wrong guesses count across
    all places.

    Args:
        secret: returns the secret.
    """

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret
        self._authentication = Authentication(self._identify)

    async def admit(self, offered: str, shown: bool, who: str, opening: Opening) -> bool:
        """Whether `offered` is the secret.

        Args:
            shown: whether anything was offered; nothing is no guess.
            who: asks, as the log names it.
            opening: where from.
        """
        verdict = self._authentication.admit(Credentials(offered, shown, who, {}, opening))
        if verdict is not None and not isinstance(verdict, Identity):
            verdict = await verdict
        return verdict is not None

    async def admit_request(self, request: web.Request, who: str) -> bool:
        """Whether a request presents the secret as a bearer token."""
        kind, _, offered = request.headers.get("Authorization", "").partition(" ")
        opening = Opening(request.headers, request.remote or "")
        return await self.admit(offered.strip(), kind.lower() == "bearer", who, opening)

    def _identify(self, credentials: Credentials) -> Identity | None:
        offered, wanted = credentials.secret, self._secret()
        right = hmac.compare_digest(_bytes(offered), _bytes(wanted))
        return ANONYMOUS if credentials.has_secret and right else None


def _bytes(text: str) -> bytes:
    """Encode `text`, which may come from a header that is not valid UTF-8."""
    return text.encode(errors="surrogatepass")
