"""What is asked of the kernel for a connection."""

from __future__ import annotations

import socket
import sys
from typing import Any, Protocol

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None  # type: ignore[assignment]

_UNSENT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", {"linux": 25, "darwin": 0x201}.get(sys.platform))


class Informed(Protocol):
    """A transport of asyncio, or what passes the question on to one."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection by that name."""


def limit_unsent(transport: Informed | None, limit: int) -> None:
    """Let a transport be writable only while less than `limit` bytes wait in the kernel before they are sent: there
    nothing can be replaced or overtaken.

    Linux and macOS have `TCP_NOTSENT_LOWAT` for it, which leaves what is on its way out of account, so that the rate
    of no line falls. Elsewhere, and for other sockets, nothing changes.
    """
    raw = transport.get_extra_info("socket") if transport is not None else None
    if raw is None or _UNSENT is None:
        return
    try:
        raw.setsockopt(socket.IPPROTO_TCP, _UNSENT, limit)
    except OSError:  # no TCP, or it has ended
        return


def unacknowledged(transport: Informed) -> int:
    """Bytes that wait in the kernel for the other end's system to acknowledge them; 0 where it does not tell."""
    raw = transport.get_extra_info("socket")
    if raw is None or fcntl is None:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # no TCP, or it has ended
        return 0
