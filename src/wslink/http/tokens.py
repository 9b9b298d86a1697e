"""Tokens that give access to a service."""

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
    """The token in the Authorization header; "" if there is none."""
    found = re.fullmatch(r"(?i:bearer) +(\S+)", request.headers.get("Authorization", "").strip())
    return found[1] if found else ""


def same(given: str, token: str) -> bool:
    """Compare two tokens in constant time. Empty ones are never equal."""
    return bool(token) and hmac.compare_digest(given.encode(errors="replace"), token.encode())


def read_text(path: str | Path) -> str:
    """Read a text file: UTF-8, with or without a byte order mark.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8. The message names the file.
    """
    data = Path(path).read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path} is UTF-16: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8 ({error})") from error


def read_token(setting: str, path: str) -> str:
    """Read the token in a file, without surrounding white space; "" if `path` is empty.

    Raises:
        UsageError: the file cannot be read, or the token is too short. The message names the setting.
    """
    return token_file(setting, path).value


def token_file(setting: str, path: str) -> WatchedFile[str]:
    """Watch a file that contains a token; an empty one if `path` is empty. Raises UsageError, like `read_token`."""

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
    """The content of a file, which is read again after it has changed. If that fails, the previous content is kept.

    Args:
        path: the file; if it is empty, the content is `nothing`.
        parse: converts the text to a value; raises ValueError.
        nothing: the value for an empty path.

    Raises:
        OSError: it cannot be read the first time.
        ValueError: it is not valid the first time.
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
        """The current value."""
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
