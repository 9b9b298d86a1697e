"""Listening sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from typing import Any

from wslink.hosts import without_brackets

_PASSIVE: Any = {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}

INHERITED = "WSLINK_WORKER_SOCKETS"
"""The variable with the descriptors of listening sockets that a supervisor opened."""
FIRST_ACTIVATED = 3
"""The first descriptor that systemd passes."""
ATTEMPTS = 20
"""Tries to find a port that is free on every address of a host."""


Infos = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]
"""What getaddrinfo knows of a host."""


async def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Like `listening_sockets`, but the event loop continues while the name is looked up.

    Callbacks that are waiting when a server starts run before the port opens, as with released servers.
    """
    inherited = inherited_sockets()
    if inherited:
        return inherited
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(_name(host), port, **_PASSIVE)
    except (OSError, ValueError) as error:
        raise _refused(host, port, error) from None
    return listening_sockets(host, port, infos)


def _name(host: str) -> bytes | str | None:
    """`host` in the form for the lookup: for str, Python loads the tables for all scripts, which ASCII does not
    need."""
    host = without_brackets(host)
    return host.encode() if host.isascii() and host else host or None


def inherited_sockets() -> list[socket.socket]:
    """The listening sockets that a supervisor (`WSLINK_WORKER_SOCKETS`) or systemd passed to this process, the first
    time it is called."""
    numbers = os.environ.pop(INHERITED, "").split(",")
    sockets = [socket.socket(fileno=number) for number in [*map(int, filter(None, numbers)), *_activated()]]
    for one in sockets:
        one.setblocking(False)
        one.set_inheritable(False)
    return sockets


def _activated() -> range:
    """The descriptors that systemd opened for this process (sd_listen_fds(3)). They stay open while the process is
    replaced."""
    count, process = os.environ.get("LISTEN_FDS", ""), os.environ.get("LISTEN_PID", "")
    if not count.isdigit() or process != str(os.getpid()):
        return range(0)
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return range(FIRST_ACTIVATED, FIRST_ACTIVATED + int(count))


def listening_sockets(host: str, port: int, infos: Infos = (), shared: bool = False) -> list[socket.socket]:
    """Open a socket for each address of `host`, all on one port; 0 picks one that is free on all of them.

    Args:
        infos: the result of getaddrinfo for `host`, if it is known already.
        shared: let other sockets listen on the port, too, if the system distributes connections among them.

    Raises:
        OSError: the port cannot be bound. The message names host and port.
    """
    for attempt in range(ATTEMPTS):
        sockets: list[socket.socket] = []
        try:
            _bind_all(sockets, port, infos or socket.getaddrinfo(_name(host), port, **_PASSIVE), shared)
        except (OSError, ValueError) as error:
            for one in sockets:
                one.close()
            if port == 0 and sockets and attempt < ATTEMPTS - 1:
                continue
            raise _refused(host, port, error) from None
        return sockets
    raise AssertionError("unreachable")


def _refused(host: str, port: int, error: OSError | ValueError) -> OSError:
    """Why a host and port cannot be bound. ValueError is raised for an invalid name."""
    number, why = (error.errno, error.strerror) if isinstance(error, OSError) else (errno.EINVAL, "")
    advice = _ADVICE.get(number or 0, "")
    # The second part is asyncio's message, which other software looks for.
    text = f"cannot listen on {host}:{port}: error while attempting to bind on address: {why or error}"
    return OSError(number, text + advice)


_ADVICE = {
    errno.EADDRINUSE: "; another program listens there: stop it, or choose another port (0 picks a free one)",
    errno.EADDRNOTAVAIL: "; this machine does not have that address: localhost, 0.0.0.0 for all, or one of its own",
    errno.EACCES: "; this user may not have that port: choose one from 1024 on",
}
"""Advice for addresses that cannot be bound."""


def _bind_all(sockets: list[socket.socket], port: int, infos: Infos, shared: bool) -> None:
    for family, kind, protocol, _, address in dict.fromkeys(infos):
        try:
            one = socket.socket(family, kind, protocol)
        except OSError:  # an address family that the machine does not have
            continue
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared and hasattr(socket, "SO_REUSEPORT"):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        chosen = sockets[0].getsockname()[1] if sockets else port
        try:
            one.bind((address[0], chosen, *address[2:]))
            one.listen(128)
            one.setblocking(False)
        except OSError:
            one.close()
            # A machine may name an address (::1) that it does not have; one that is taken is an error.
            if family == socket.AF_INET6 and sockets and not _is_here(str(address[0])):
                continue
            raise
        sockets.append(one)
    if not sockets:
        raise OSError(0, "the host has no address")


def _is_here(address: str) -> bool:
    """Whether this machine has `address`."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
