"""Sources of descriptions: an application, a running server, or a file."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from wslink.client.address import socket_url
from wslink.client.connect import connect
from wslink.client.cure import explained
from wslink.errors import METHOD_NOT_FOUND, CallError, LinkError, PeerError, UsageError
from wslink.server.cli import load
from wslink.waiting import within

DESCRIBE = "wslink.describe"
TIMEOUT = 10.0
"""Seconds that a server has to describe itself."""


def read(target: str, secret: str | None = None) -> dict[str, Any]:
    """The description of "module:app", of the server at a URL, or in a JSON file that `wslink describe` wrote.

    Raises:
        UsageError: if there is none.
    """
    if "://" in target:
        url, found = socket_url(target)
        return asyncio.run(_ask(url, secret or found or os.environ.get("WSLINK_SECRET") or None))
    if target.endswith(".json"):
        try:
            document = json.loads(Path(target).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{target}: {error}") from None
        return checked(document, target)
    return load(target).describe()


async def _ask(url: str, secret: str | None) -> dict[str, Any]:
    try:
        async with connect(url, secret=secret, reconnect=False) as link:
            return checked(await within(link.call(DESCRIBE), TIMEOUT), url)
    except asyncio.TimeoutError:
        raise UsageError(f"{url}: no response to {DESCRIBE} within {TIMEOUT:g} s") from None
    except CallError as error:
        if error.code == METHOD_NOT_FOUND:
            raise UsageError(f"{url} has no description: it is not an App, or one with describe=False") from None
        raise UsageError(f"{url}: {error}") from None
    except (LinkError, PeerError) as error:
        raise UsageError(f"{url}: {explained(error)}") from None


def checked(document: Any, source: str) -> dict[str, Any]:
    """`document`, if it is a description of a form that this version knows. Raises UsageError."""
    if not isinstance(document, dict) or not isinstance(document.get("methods"), dict):
        raise UsageError(f"{source} holds no description of a server")
    if document.get("wslink") != 1:
        raise UsageError(f"{source} is described in form {document.get('wslink')!r}; this version knows form 1")
    return document
