"""A WebSocket handshake without a library: libraries do not show what a proxy responds instead."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from wslink.waiting import within

MAX_HEAD, MAX_BODY = 64 * 1024, 4096
"""Bytes of an answer that are read."""
PLAIN_TO_TLS = ("plain HTTP request was sent to HTTPS port", "speaking plain HTTP to an SSL-enabled server port")
"""What nginx and Apache say to a request without TLS where they take none."""
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
"""The frame that closes a WebSocket with 1000."""


@dataclass(frozen=True)
class Answer:
    """The response to a handshake.

    Attributes:
        status: 0 if it was not HTTP.
        headers: by name, in lower case.
        body: its beginning.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def server(self) -> str:
        """The software that claims to have responded."""
        return self.headers.get("server", "")

    @property
    def wants_tls(self) -> bool:
        """Whether it redirects requests to TLS, or accepts nothing else on that port."""
        sent_on = self.status in (301, 302, 307, 308) and self.headers.get("location", "").startswith("https://")
        return sent_on or (self.status == 400 and any(said in self.body for said in PLAIN_TO_TLS))


def origin_of(url: SplitResult) -> str:
    """The origin of a page that this server serves."""
    return f"{'https' if url.scheme == 'wss' else 'http'}://{url.netloc.rpartition('@')[2]}"


async def ask(
    url: str, tls: ssl.SSLContext | None, headers: Mapping[str, str], timeout: float, upgrade: bool = True
) -> Answer:
    """Send a request and read the response.

    Args:
        url: ws:// or wss://.
        headers: in addition to those of every handshake.
        upgrade: ask for a WebSocket.

    Raises:
        OSError: there is no connection, or it ended.
        asyncio.TimeoutError: there was no response in time.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    name = parts.hostname if tls is not None else None
    opening = asyncio.open_connection(parts.hostname, port, ssl=tls, server_hostname=name, limit=MAX_HEAD)
    reader, writer = await within(opening, timeout)
    try:
        lines = _request(parts, upgrade) + [f"{one}: {value}" for one, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        answer = await within(_read(reader), timeout)
        if answer.status == 101:
            await _close(reader, writer)
        return answer
    finally:
        writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await within(writer.wait_closed(), 1)


def _request(parts: SplitResult, upgrade: bool) -> list[str]:
    """The lines of a request, including its own headers."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    if upgrade:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines += [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
    else:
        lines.append("Connection: close")
    return lines


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close a WebSocket: if the client merely disappeared, Apache would keep a thread for it until its timeout."""
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        writer.write(CLOSE)
        await within(reader.read(), 1)


async def _read(reader: asyncio.StreamReader) -> Answer:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return Answer(0)
    words = head[0].split(" ", 2)
    if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdigit():
        return Answer(0)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = b""
    if words[1] != "101":
        with contextlib.suppress(asyncio.TimeoutError):
            body = await within(reader.read(MAX_BODY), 1)
    return Answer(int(words[1]), headers, body.decode("utf-8", "replace"))
