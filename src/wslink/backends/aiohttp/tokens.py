"""Tokens that open a service to whom they were given."""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from aiohttp import web

from wslink.errors import UsageError

MIN_TOKEN = 16
"""Characters that a token needs at least."""


def bearer_token(request: web.Request) -> str:
    """The token of the Authorization header; "" if there is none."""
    found = re.fullmatch(r"(?i:bearer) +(\S+)", request.headers.get("Authorization", "").strip())
    return found[1] if found else ""


def same(given: str, token: str) -> bool:
    """Whether two tokens are equal, in a time that does not tell where they differ. Empty ones never are."""
    return bool(token) and hmac.compare_digest(given.encode(errors="replace"), token.encode())


def read_token(setting: str, path: str) -> str:
    """The token that a file holds; "" if `path` is empty.

    Raises:
        UsageError: naming the setting, if the file cannot be read or the token is too short.
    """
    if not path:
        return ""
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{setting}: {error}") from error
    if len(token) < MIN_TOKEN:
        raise UsageError(f"{setting}: {path} must hold at least {MIN_TOKEN} characters")
    return token
