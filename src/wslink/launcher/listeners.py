"""The owner of the process that listens on a port of this machine.

Another user's process on a session's port must not receive what is meant for the session. Linux tells the user of the
socket that would accept a connection (sock_diag(7)). Elsewhere it is unknown, and the first address is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable

_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2  # NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_*, NLMSG_*
_HEADER = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBBBI")
_ADDRESSES = struct.Struct(">HH16s16s")
_LISTEN = 10
_USER_AT = _HEADER.size + 4 + 48 + 12
"""Where the user's number stands in an answer: behind header, state (4 bytes), addresses (48) and three numbers."""
ROOT = 0


class ForeignListener(Exception):
    """Only processes of other users are listening on a session's port."""


async def reach(host: str, port: int, users: Iterable[int]) -> str:
    """The address at which to reach a session on this machine.

    Args:
        host: the host on which it was told to listen.
        users: the users whose processes are accepted, in addition to this process's user and root.

    Raises:
        ForeignListener: only others' processes are listening on its port.
        OSError: the host is not found.
    """
    addresses = await _addresses(host, port)
    trusted = {ROOT, _own_user(), *users}
    foreign = False
    for address in addresses:
        user = user_of_listener(address, port)
        if user in trusted:
            return address
        foreign = foreign or user is not None
    if foreign:
        raise ForeignListener
    return addresses[0]


def user_of_listener(address: str, port: int) -> int | None:
    """The id of the user whose socket accepts connections to an address of this machine; None if there is none, or the
    system cannot tell."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = _ADDRESSES.pack(port, 0, socket.inet_pton(family, address).ljust(16, b"\0"), bytes(16))
    query = (
        _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + place + struct.pack("=III", 0, 2**32 - 1, 2**32 - 1)
    )
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
            link.settimeout(1.0)
            link.send(_HEADER.pack(_HEADER.size + len(query), _BY_FAMILY, _REQUEST, 1, 0) + query)
            answer = link.recv(8192)
    except (OSError, AttributeError):
        return None
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _ERROR or len(answer) < _USER_AT + 4 or answer[_HEADER.size + 1] != _LISTEN:
        return None
    return int(struct.unpack_from("=I", answer, _USER_AT)[0])


async def _addresses(host: str, port: int) -> list[str]:
    if host in ("", "0.0.0.0"):  # noqa: S104
        return ["127.0.0.1"]
    if host == "::":
        return ["::1"]
    if host == "localhost":
        return ["127.0.0.1", "::1"]
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in infos))
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    return found


def _own_user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else ROOT
