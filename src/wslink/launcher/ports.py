"""The pool of TCP ports for sessions."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable

from wslink.launcher.configuration import Resource

Address = tuple[str, int]
"""A host as it is configured, and a port."""


class Ports:
    """Leases ports. A port is leased to one session at a time.

    Args:
        resources: hosts and their ports.
        usable: whether an address is not used by others. One that is used is skipped, and tried again later.
    """

    def __init__(self, resources: Iterable[Resource], usable: Callable[[Address], bool] = lambda _: True) -> None:
        self._usable = usable
        self._free: dict[str, list[int]] = {}
        self._taken: set[Address] = set()
        self._foreign: set[Address] = set()  # taken ones that are not of the pool
        self.change(resources)

    def change(self, resources: Iterable[Resource]) -> None:
        """Lease other ports from now on. Leased ports remain so until they are returned."""
        before, self._free = self._free, {}
        pool: dict[str, set[int]] = {}
        for resource in resources:
            first, last = resource.port_range
            pool.setdefault(resource.host, set()).update(range(first, last + 1))
        for host, ports in pool.items():
            # The order stays: the port that has been free for the longest time comes first.
            known = [port for port in before.get(host, ()) if port in ports]
            taken = {port for name, port in self._taken if name == host}
            self._free[host] = [*known, *sorted(ports - set(known) - taken)]
        self._foreign = {one for one in self._taken if one[1] not in pool.get(one[0], ())}

    @property
    def free(self) -> int:
        """The number of free ports."""
        return sum(map(len, self._free.values()))

    def take(self) -> Address | None:
        """Lease a port of the host with the most free ones; None if there is none."""
        for host in sorted(self._free, key=lambda name: -len(self._free[name])):
            ports = self._free[host]
            # The one that has been free for the longest time comes first: its last user has surely gone.
            for index, port in enumerate(ports):
                if self._usable((host, port)):
                    del ports[index]
                    self._taken.add((host, port))
                    return host, port
        return None

    def claim(self, address: Address) -> None:
        """Lease a certain port, for a session that was found running. It need not be in the pool."""
        self._taken.add(address)
        with contextlib.suppress(KeyError, ValueError):
            self._free[address[0]].remove(address[1])

    def give_back(self, address: Address) -> None:
        """Return a port. Returning it again has no effect."""
        if address in self._taken:
            self._taken.remove(address)
            if address[0] in self._free and address not in self._foreign:
                self._free[address[0]].append(address[1])
            self._foreign.discard(address)


def is_local(host: str) -> bool:
    """Whether `host` is this machine's loopback interface or all of its interfaces, without asking a name server."""
    if host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def reachable(host: str) -> str:
    """The address to connect to for a host on which sessions listen: loopback if that is all interfaces."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def nobody_listens(address: Address) -> bool:
    """Whether a session could listen at `address`; True for addresses of other machines.

    Otherwise a foreign process on a port of the pool could be given to a client as its session.
    """
    host, port = address
    if not is_local(host):
        return True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((reachable(host) if host != "localhost" else "127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
