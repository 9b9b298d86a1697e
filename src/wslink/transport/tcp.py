"""The system's information about the peer of a TCP connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import Any, NamedTuple

_TCP_INFO = getattr(socket, "TCP_INFO", None)
TELLS = _TCP_INFO is not None
"""Whether the system tells what a peer takes."""
_SIZE = 232
# Linux's struct tcp_info: milliseconds since the last acknowledgement, bytes acknowledged, after which bytes received
# stand, and the window of the peer.
_LAST_ACK, _ACKNOWLEDGED, _WINDOW = 56, 120, 228
_UNACKNOWLEDGED, _UNSENT = 24, 144  # segments, and bytes, that the system still has


class Line(NamedTuple):
    """Attributes:
    taken: grows with the bytes that the application at the other end has read: by what its system has acknowledged,
        and by the room that it has for more. Where the system does not tell, by what left our own buffer.
    answered: seconds since the other end's system acknowledged anything; infinite where that is not known.
    arrived: bytes that have come, whether or not they have been read; 0 where that is not known.
    """

    taken: int
    answered: float
    arrived: int = 0


UNKNOWN = Line(0, math.inf)


def line(transport: asyncio.WriteTransport) -> Line:
    """The state of a connection."""
    return line_of(transport.get_extra_info("socket"), transport.get_write_buffer_size())


def waits(transport: asyncio.WriteTransport) -> bool:
    """Whether anything that was written has not been taken by the other end's system."""
    if transport.get_write_buffer_size():
        return True
    info = _info(transport.get_extra_info("socket"))
    return bool(info) and any(struct.unpack_from("=I", info, at)[0] for at in (_UNACKNOWLEDGED, _UNSENT))


def line_of(raw: Any, unsent: int) -> Line:
    """The state of the connection of a socket, for which `unsent` bytes wait here."""
    info = _info(raw)
    if not info:
        return Line(-unsent, math.inf)
    (last_ack,) = struct.unpack_from("=I", info, _LAST_ACK)
    acknowledged, received = struct.unpack_from("=QQ", info, _ACKNOWLEDGED)
    (window,) = struct.unpack_from("=I", info, _WINDOW)
    return Line(acknowledged + window, last_ack / 1000, received)


def _info(raw: Any) -> bytes:
    """The struct tcp_info of a socket; b"" where the system has none, or not as much of it."""
    info = b""
    if _TCP_INFO is not None:
        with contextlib.suppress(OSError, AttributeError, NotImplementedError):  # no TCP, or it has ended
            info = raw.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
    return info if len(info) >= _SIZE else b""
