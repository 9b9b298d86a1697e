"""Names and addresses of hosts."""

from __future__ import annotations

import ipaddress


def is_address(host: str) -> bool:
    """Whether `host` is an IP address."""
    return _parse(host) is not None


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or an address of this machine's loopback interface."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse(host)
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def ascii_name(host: str) -> str:
    """`host` as browsers write it: in small letters, and what is not ASCII in Punycode (bücher.example)."""
    dot = "." if host.startswith(".") else ""
    try:
        return dot + host.lower().removeprefix(".").encode("idna").decode()
    except UnicodeError:  # no name that a resolver knows
        return host.lower()


def without_brackets(host: str) -> str:
    """`host`, or the address in it where that stands in brackets, as in an URL."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(without_brackets(host))
    except ValueError:
        return None
