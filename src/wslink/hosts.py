"""Host names and addresses."""

from __future__ import annotations

import ipaddress


def is_address(host: str) -> bool:
    """Whether `host` is an IP address."""
    return _parse(host) is not None


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or an address of the loopback interface."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse(host)
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def ascii_name(host: str) -> str:
    """Return `host` as browsers send it: in lower case, with Punycode for other characters than ASCII
    (bücher.example)."""
    dot = "." if host.startswith(".") else ""
    try:
        return dot + host.lower().removeprefix(".").encode("idna").decode()
    except UnicodeError:  # no name that a resolver knows
        return host.lower()


def without_brackets(host: str) -> str:
    """Return `host` without the brackets that enclose an IPv6 address in a URL."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(without_brackets(host))
    except ValueError:
        return None
