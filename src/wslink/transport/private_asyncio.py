"""The one place that uses names which asyncio and `socket` do not promise. tests/transport/test_private.py notices when
they move. Apart from aiohttp's, as a server accepts connections before it has loaded that."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


def accepting(listener: socket.socket) -> Callable[[], tuple[int, object]]:
    """What accepts a connection and returns its descriptor and address, as `socket.accept` does, which makes a socket
    around them."""
    accept: Callable[[], tuple[int, object]] | None = getattr(listener, "_accept", None)
    if accept is not None:
        return accept

    def detached() -> tuple[int, object]:
        accepted, address = listener.accept()
        return accepted.detach(), address

    return detached


def open_transport(
    loop: asyncio.AbstractEventLoop, accepted: socket.socket, protocols: Callable[[], asyncio.BaseProtocol]
) -> bool:
    """Let the event loop carry an accepted connection, as its `connect_accepted_socket` does, for which that takes a
    task, a future and three more turns. False, and nothing has happened, where the loop is not asyncio's own."""
    make = getattr(loop, "_make_socket_transport", None)
    if make is None:
        return False
    make(accepted, protocols())
    return True
