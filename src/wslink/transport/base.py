"""What an engine is: it carries sessions over the WebSocket that a request asks for."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from wslink.errors import UsageError
from wslink.session.ports import Transport
from wslink.session.session import Session

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

ENGINES = {
    "picows": "wslink.transport.picows.engine:ENGINE",
    "aiohttp": "wslink.transport.aiohttp:ENGINE",
}
"""Each engine's import string, the faster first."""

CLOSE_TIMEOUT = 5.0
"""Seconds that a peer has to take what was sent and to answer the closing handshake."""
MAX_CLOSE_REASON = 123  # RFC 6455, 5.5: a control frame holds 125 bytes, of which the code takes 2


def limit_unsent(transport: asyncio.BaseTransport | None, limit: int) -> None:
    """Let a transport be writable only while less than `limit` bytes wait in the kernel before they are sent: there
    nothing can be replaced or overtaken.

    Linux and macOS have `TCP_NOTSENT_LOWAT` for it, which leaves what is on its way out of account, so that the rate
    of no line falls. Elsewhere, and for other sockets, nothing changes.
    """
    raw = transport.get_extra_info("socket") if transport is not None else None
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    option = getattr(socket, "TCP_NOTSENT_LOWAT", {"linux": 25, "darwin": 0x201}.get(sys.platform))
    if option is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, option, limit)


class Carried(Transport, Protocol):
    """A session's connection as the endpoint sees it."""

    def abort(self) -> None:
        """Drop the connection at once."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """How to carry a connection, and whom to tell of it.

    Attributes:
        max_frame: largest message accepted from the peer, in bytes (LIM-1).
        heartbeat: seconds between pings; below 1 there are none.
        compress: whether permessage-deflate is accepted where a client offers it.
        opened: called once frames can be sent; returns the session to carry.
        ended: called once the connection has ended.
    """

    max_frame: int
    heartbeat: float
    compress: bool
    opened: Callable[[Carried], Session]
    ended: Callable[[Carried], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The HTTP answer to a request that gets no WebSocket."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


Decide = Callable[["MultiMapping[str]"], Carriage | Refusal]
"""What to do with a request that has these headers."""


class Engine(NamedTuple):
    """Attributes:
    carry: upgrades a request that is fit for it, and carries a session over it.
    adopt: takes a connection and its first bytes, the whole head of a GET request that nobody has answered; also the
        largest frame to accept, in bytes. None where the engine cannot do without aiohttp.
    """

    carry: Callable[[web.Request, Carriage], Awaitable[web.StreamResponse]]
    adopt: Callable[[asyncio.Transport, bytes, int, Decide], None] | None = None


def find_engine(name: str) -> Engine:
    """The engine called `name`; for "auto" the fastest that is installed.

    Raises:
        UsageError: if there is none of that name, or it is not installed.
    """
    if name != "auto" and name not in ENGINES:
        raise UsageError(f"engine {name!r}: one of auto, {', '.join(ENGINES)}")
    for candidate in ENGINES if name == "auto" else (name,):
        module, _, attribute = ENGINES[candidate].partition(":")
        try:
            return cast(Engine, getattr(importlib.import_module(module), attribute))
        except ImportError as error:
            if candidate == name:
                raise UsageError(f"engine {name!r} is not installed: {error}") from error
    raise AssertionError("unreachable: aiohttp is always installed")


def close_reason(reason: str) -> bytes:
    """`reason` as a close frame can hold it."""
    return reason.encode()[:MAX_CLOSE_REASON].decode(errors="ignore").encode()
