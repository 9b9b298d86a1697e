"""Targets that a relay may connect to."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from wslink.errors import UsageError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_RULE = re.compile(r"(?P<host>\[[^\]]+\]|[^:]+)(:(?P<first>\d{1,5})(-(?P<last>\d{1,5}))?)?", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """Targets that are allowed: a host name or a network, and a range of ports."""

    name: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    first: int = 1
    last: int = 65535

    def allows(self, host: str, address: IPAddress, port: int) -> bool:
        """Whether connecting to `host`, which has resolved to `address`, is allowed."""
        if not self.first <= port <= self.last:
            return False
        return address in self.network if self.network is not None else host.lower() == self.name


LOOPBACK = (Rule("", ipaddress.ip_network("127.0.0.0/8")), Rule("", ipaddress.ip_network("::1/128")))
"""What is allowed unless something else is."""


def parse_rule(text: str) -> Rule:
    """Parse a rule: HOST[:PORT[-PORT]], with IPv6 addresses in brackets.

    Raises:
        UsageError: it does not have this form.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise UsageError(f"allow is {text!r}: HOST, HOST:PORT or HOST:PORT-PORT, an IPv6 address in brackets")
    host = found["host"].strip("[]")
    first = int(found["first"] or 1)
    last = int(found["last"] or found["first"] or 65535)
    if not 0 < first <= last < 65536:
        raise UsageError(f"allow is {text!r}: ports are from 1 to 65535, the first before the last")
    try:
        return Rule("", ipaddress.ip_network(host, strict=False), first, last)
    except ValueError:
        return Rule(host.lower(), None, first, last)


async def resolve(host: str, port: int, rules: Iterable[Rule]) -> str | None:
    """The first address of `host` to which a rule allows connecting; None if there is none.

    Connect to this address, since the name may resolve to another one a moment later.

    Raises:
        OSError: the host is not found.
    """
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError) as error:
        raise OSError(f"{host!r} is not a host") from error
    rules = list(rules)
    for *_, socket_address in infos:
        address = ipaddress.ip_address(str(socket_address[0]).partition("%")[0])
        if any(rule.allows(host, address, port) for rule in rules):
            return str(address)
    return None
