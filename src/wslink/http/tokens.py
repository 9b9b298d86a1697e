"""Tokens that open a service to whom they were given."""

from __future__ import annotations

import codecs
import hmac
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from aiohttp import web

from wslink.errors import UsageError

logger: logging.Logger = logging.getLogger("wslink.http")

Value = TypeVar("Value")

MIN_TOKEN = 16
"""Characters that a token needs at least."""


def bearer_token(request: web.Request) -> str:
    """The token of the Authorization header; "" if there is none."""
    found = re.fullmatch(r"(?i:bearer) +(\S+)", request.headers.get("Authorization", "").strip())
    return found[1] if found else ""


def same(given: str, token: str) -> bool:
    """Whether two tokens are equal, in a time that does not tell where they differ. Empty ones never are."""
    return bool(token) and hmac.compare_digest(given.encode(errors="replace"), token.encode())


def read_text(path: str | Path) -> str:
    """The text of a file that a person or a tool has written: UTF-8, with a byte order mark or without.

    Raises:
        OSError: if it cannot be read.
        ValueError: naming the file, if it is not UTF-8.
    """
    data = Path(path).read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path} is UTF-16: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8 ({error})") from error


def read_token(setting: str, path: str) -> str:
    """The token that a file holds, without white space around it; "" if `path` is empty.

    Raises:
        UsageError: naming the setting, if the file cannot be read or the token is too short.
    """
    return token_file(setting, path).value


def token_file(setting: str, path: str) -> WatchedFile[str]:
    """A file that holds a token; one that holds "" if `path` is empty. Raises UsageError as `read_token`."""

    def parse(text: str) -> str:
        token = text.strip()
        if len(token) < MIN_TOKEN:
            raise UsageError(f"{setting}: {path} must hold at least {MIN_TOKEN} characters")
        return token

    try:
        return WatchedFile(path, parse, "")
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise UsageError(f"{setting}: {error}") from error


class WatchedFile(Generic[Value]):
    """The content of a file, read again when it has changed. If that fails, the previous content stays.

    Args:
        path: the file; where it is empty, `nothing` is all that it says.
        parse: makes a value of its text; raises ValueError.
        nothing: what an empty path says.

    Raises:
        OSError: if it cannot be read the first time.
        ValueError: if it says nothing valid the first time.
    """

    def __init__(self, path: str | Path, parse: Callable[[str], Value], nothing: Value) -> None:
        self._path = str(path)
        self._parse = parse
        self._seen: tuple[int, int, int] | None = None
        self._value = nothing
        if self._path:
            self._seen = self._signature()
            self._value = parse(read_text(self._path))

    @property
    def value(self) -> Value:
        """What the file says now."""
        if not self._path:
            return self._value
        try:
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                self._value = self._parse(read_text(self._path))
                logger.info("%s was read again", self._path)
        except (OSError, ValueError) as error:
            if self._seen is not None:
                logger.warning("what %s said before stays valid: %s", self._path, error)
            if isinstance(error, OSError):
                self._seen = None
        return self._value

    def _signature(self) -> tuple[int, int, int]:
        status = os.stat(self._path)
        return status.st_mtime_ns, status.st_size, status.st_ino
