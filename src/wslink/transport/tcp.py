"""What the operating system knows about the peer of a TCP connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import Any, NamedTuple

_TCP_INFO = getattr(socket, "TCP_INFO", None)
TELLS = _TCP_INFO is not None
"""Whether the system can tell how much a peer has accepted."""
_SIZE = 232
# Linux's struct tcp_info: milliseconds since the last acknowledgement, bytes acknowledged, after which bytes received
# stand, and the window of the peer.
_LAST_ACK, _ACKNOWLEDGED, _WINDOW = 56, 120, 228
_UNACKNOWLEDGED, _UNSENT = 24, 144  # segments, and bytes, that the system still has


class Line(NamedTuple):
    """The state of a connection.

    Attributes:
        taken: grows with the bytes that the application at the other end has read, derived from acknowledgements and
            the receive window. If the system does not tell, it grows with the bytes that have left our own buffer.
        answered: seconds since the peer's system acknowledged anything; infinite if unknown.
        arrived: bytes that have arrived, whether read or not; 0 if unknown.
    """

    taken: int
    answered: float
    arrived: int = 0


UNKNOWN = Line(0, math.inf)


def line(transport: asyncio.WriteTransport) -> Line:
    """The state of a connection."""
    raw = socket_of(transport)
    return line_of(raw, transport.get_write_buffer_size() if raw is not None else 0)


def socket_of(transport: asyncio.WriteTransport) -> Any:
    """The socket of a connection; None once it has ended, where the event loop forgets it then."""
    try:
        return transport.get_extra_info("socket")
    except AttributeError:  # asyncio's TLS, where it is closed twice
        return None


def waits(transport: asyncio.WriteTransport) -> bool:
    """Whether written data has not been acknowledged by the peer's system."""
    raw = socket_of(transport)
    if raw is not None and transport.get_write_buffer_size():
        return True
    info = _info(raw)
    return bool(info) and any(struct.unpack_from("=I", info, at)[0] for at in (_UNACKNOWLEDGED, _UNSENT))


def line_of(raw: Any, unsent: int) -> Line:
    """The state of a socket's connection, for which `unsent` bytes are waiting here."""
    info = _info(raw)
    if not info:
        return Line(-unsent, math.inf)
    (last_ack,) = struct.unpack_from("=I", info, _LAST_ACK)
    acknowledged, received = struct.unpack_from("=QQ", info, _ACKNOWLEDGED)
    (window,) = struct.unpack_from("=I", info, _WINDOW)
    return Line(acknowledged + window, last_ack / 1000, received)


def _info(raw: Any) -> bytes:
    """The struct tcp_info of a socket; b"" if the system has none, or a shorter one."""
    info = b""
    if _TCP_INFO is not None:
        with contextlib.suppress(OSError, AttributeError, NotImplementedError):  # no TCP, or it has ended
            info = raw.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
    return info if len(info) >= _SIZE else b""
