"""The interface of engines, which carry sessions over the WebSocket that a request opens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from wslink.errors import UsageError
from wslink.lazy import load
from wslink.session.identity import Opening
from wslink.session.ports import Transport
from wslink.session.session import Session
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.limits import Limits

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

ENGINES = {
    "picows": "wslink.transport.picows.engine:ENGINE",
    "aiohttp": "wslink.transport.aiohttp:ENGINE",
}
"""The import string of each engine, the fastest first."""

CLOSE_TIMEOUT = 5.0
"""Seconds in which a peer has to take some of what was sent before a close, or to answer the closing handshake."""
EARLY_CLOSE_TIMEOUT = 1.0
"""The same for one that has not said a good hello."""
MAX_CLOSE_REASON = 123  # RFC 6455, 5.5: a control frame holds 125 bytes, of which the code takes 2


class ServedTransport(Transport, Protocol):
    """A session's connection, as the endpoint sees it."""

    def abort(self) -> None:
        """Drop the connection at once."""


class TransportOptions(msgspec.Struct, frozen=True):
    """Options of a connection's transport.

    Attributes:
        limits: the host's.
        heartbeat: seconds between pings; below 1 there are none.
        compress: whether permessage-deflate is accepted if a client offers it.
        opened: called once frames can be sent, with how the connection was opened; returns the session to carry.
        ended: called once the connection has ended.
        max_frame: the largest accepted message, in bytes (LIM-1).
        max_early_frame: the largest accepted message before a successful hello (LIM-2).
    """

    limits: Limits
    heartbeat: float
    compress: bool
    opened: Callable[[ServedTransport, Opening], Session]
    ended: Callable[[ServedTransport], None]
    max_frame: int = 0
    max_early_frame: int = 0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "max_frame", self.limits.max_frame)
        msgspec.structs.force_setattr(self, "max_early_frame", early_limit(self.limits))


class Engine(msgspec.Struct, frozen=True):
    """Attributes:
    name: what it is called in settings and in the log.
    serve_request: upgrades a request that is fit for it, and carries a session over it.
    serve_connection: takes a connection and the headers of the one request that came over it, which is fit for an
        upgrade and has not been answered. None where the engine cannot do without aiohttp.
    """

    name: str
    serve_request: Callable[[web.Request, TransportOptions, Opening], Awaitable[web.StreamResponse]]
    serve_connection: Callable[[asyncio.Transport, MultiMapping[str], TransportOptions, Opening], None] | None = None


def find_engine(name: str) -> Engine:
    """Return the engine `name`; for "auto" the fastest that is installed.

    Raises:
        UsageError: there is no such engine, or it is not installed.
    """
    if name != "auto" and name not in ENGINES:
        raise UsageError(f"engine {name!r}: one of auto, {', '.join(ENGINES)}")
    for candidate in ENGINES if name == "auto" else (name,):
        module, _, attribute = ENGINES[candidate].partition(":")
        try:
            return cast(Engine, getattr(load(module), attribute))
        except ImportError as error:
            if candidate == name:
                raise UsageError(f"engine {name!r} is not installed: {error}") from error
    raise AssertionError("unreachable: aiohttp is always installed")


def early_limit(limits: Limits) -> int:
    """The largest frame before a successful hello, in bytes (LIM-2)."""
    return limits.auth_msg_size + HEADER_LENGTH


def too_large(limits: Limits, admitted: bool) -> str:
    """The reason for refusing a message."""
    if admitted:
        return f"a message is at most {limits.max_frame} bytes"
    return f"a message before hello is at most auth_msg_size ({limits.auth_msg_size}) bytes"


def close_reason(reason: str) -> bytes:
    """`reason`, cut to fit into a close frame."""
    return reason.encode(errors="replace")[:MAX_CLOSE_REASON].decode(errors="ignore").encode()
