"""What the system tells of a TCP connection's other end."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import NamedTuple

_TCP_INFO = getattr(socket, "TCP_INFO", None)
_SIZE = 232
# Linux's struct tcp_info: milliseconds since the last acknowledgement, bytes acknowledged, the window of the peer.
_LAST_ACK, _ACKNOWLEDGED, _WINDOW = 56, 120, 228


class Line(NamedTuple):
    """Attributes:
    taken: grows with the bytes that the application at the other end has read: by what its system has acknowledged,
        and by the room that it has for more. Where the system does not tell, by what left our own buffer.
    answered: seconds since the other end's system acknowledged anything; infinite where that is not known.
    """

    taken: int
    answered: float


UNKNOWN = Line(0, math.inf)


def line(transport: asyncio.WriteTransport) -> Line:
    """The state of a connection."""
    info = b""
    if _TCP_INFO is not None:
        with contextlib.suppress(OSError, AttributeError, NotImplementedError):  # no TCP, or it has ended
            info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
    if len(info) < _SIZE:
        return Line(-transport.get_write_buffer_size(), math.inf)
    (last_ack,) = struct.unpack_from("=I", info, _LAST_ACK)
    (acknowledged,) = struct.unpack_from("=Q", info, _ACKNOWLEDGED)
    (window,) = struct.unpack_from("=I", info, _WINDOW)
    return Line(acknowledged + window, last_ack / 1000)
