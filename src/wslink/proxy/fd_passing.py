"""Passing a connection to another process of the same user. The descriptor is sent over a Unix socket, and from then on
none of its bytes pass through the process that accepted it.

A server listens at `handoff_path(directory, port)`. The sender connects once for each connection that it passes, and
sends the head of the request with the descriptor. The server answers "+" when it has accepted it, and closes when that
connection has ended, so that the sender can count connections. A peer that only counts sends nothing, and receives "+"
for each connection that is held and "-" as they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable

MAX_HEAD = 64 * 1024
"""Bytes of a request's head, at most."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def handoff_path(directory: str, port: int) -> str:
    """Where the server that listens on `port` accepts connections; "" without a directory."""
    return os.path.join(directory, str(port)) if directory else ""


def listen(path: str, backlog: int) -> socket.socket:
    """Listen at `path`, for this user only. A socket that an earlier server left there is replaced.

    Raises:
        OSError: it cannot listen there; the path may be too long for the system, or there are no Unix sockets.
    """
    _need_support()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def dial(path: str) -> socket.socket:
    """Connect to the process that listens at `path`, without waiting.

    Raises:
        OSError: nobody listens, it is another user, or its backlog is full.
    """
    _need_support()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        control.setblocking(False)
        control.connect(path)
        if not same_user(control):
            raise PermissionError("another user listens there")
    except OSError:
        control.close()
        raise
    return control


def give(control: socket.socket, head: bytes, descriptor: int) -> None:
    """Send a request's head with its connection's descriptor, of which the receiver gets a copy.

    Raises:
        OSError: it cannot be sent. The receiver then ignores what it may have received.
    """
    if len(head) > MAX_HEAD:
        raise OSError(f"the head has {len(head)} bytes; at most {MAX_HEAD} are handed over")
    if socket.send_fds(control, [head], [descriptor]) < len(head):
        raise OSError("the system does not take the head at once")
    control.shutdown(socket.SHUT_WR)


async def take(control: socket.socket) -> tuple[bytes, int | None]:
    """Receive a head and a descriptor, which the caller has to close; or b"" and None.

    Raises:
        OSError: the connection failed.
        ValueError: what was received is anything else, or incomplete.
    """
    head, descriptors = b"", list[int]()
    try:
        while piece := await _receive(control, descriptors):
            head += piece
            if len(head) > MAX_HEAD or len(descriptors) > 1:
                raise ValueError("too much is handed over")
        if (head or descriptors) and not (head.endswith(b"\r\n\r\n") and descriptors):
            raise ValueError("what is handed over is not whole")
    except BaseException:
        for one in descriptors:
            os.close(one)
        raise
    return head, descriptors[0] if descriptors else None


async def _receive(control: socket.socket, descriptors: list[int]) -> bytes:
    while True:
        try:
            piece, found, _, _ = socket.recv_fds(control, MAX_HEAD, 1, _CLOSE_ON_EXEC)
        except BlockingIOError:
            await _readable(control)
            continue
        descriptors += found
        return piece


async def _readable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(control, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(control)


def same_user(control: socket.socket) -> bool:
    """Whether the other end of a Unix connection is this process's user. True if the system cannot tell: there, the
    directory's permissions keep others out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.geteuid())


class Usage(asyncio.Protocol):
    """The sender's end: counts the connections that the receiver holds.

    Args:
        changed: called with the change of the count. When the receiver has gone, all of them are.
    """

    def __init__(self, changed: Callable[[int], None]) -> None:
        self._changed = changed
        self._count = 0
        self._transport: asyncio.BaseTransport | None = None

    def close(self) -> None:
        """Stop counting."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._change(data.count(b"+") - data.count(b"-"))

    def connection_lost(self, error: Exception | None) -> None:
        self._change(-self._count)

    def _change(self, by: int) -> None:
        if by:
            self._count += by
            self._changed(by)


def _need_support() -> None:
    if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "send_fds"):
        raise OSError("this system cannot hand connections over")
