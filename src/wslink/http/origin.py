"""Origin checks: which web pages may open a connection. A page of another origin must not control a server that only
its user's browser can reach."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

from wslink.hosts import ascii_name, is_address, is_loopback
from wslink.http.sparse import sparse_logger

refusals: logging.Logger = sparse_logger("wslink.http.refused")

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

LOOPBACK_PAGES = tuple(
    f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1", "[::1]")
)
"""Pages of this machine: another server's, such as a development server of the page."""

Address = tuple[str, int]


def is_allowed(headers: Mapping[str, str], allowed: Iterable[str]) -> bool:
    """Whether to accept a handshake with these `headers`.

    Clients other than browsers send no Origin and are accepted: they need the secret. A page has to be of the server's
    own origin, as the browser or the proxy in front names it, or of one in `allowed`: origins such as
    "https://example.org", with "*" for any port ("http://localhost:*"), or "*" alone for every page.
    """
    origin = headers.get("Origin")
    return origin is None or is_same_origin(headers) or is_listed(origin, allowed)


def is_listed(origin: str, allowed: Iterable[str]) -> bool:
    """Whether an origin is in `allowed`, as for `is_allowed`."""
    return any(_matches(origin, pattern) for pattern in allowed)


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether the Origin's host and port are those that the client requested, from this server or a proxy in front.

    A page cannot set X-Forwarded-Host or Forwarded on a handshake, so they can be trusted for this purpose. The scheme
    is not compared: it differs behind a proxy that terminates TLS.
    """
    origin = _split(headers.get("Origin", ""))
    return origin is not None and _address(origin) in _own_addresses(headers, origin.scheme)


def is_local_page(headers: Mapping[str, str]) -> bool:
    """Whether the request comes directly from a page of this server, under a loopback name.

    The name matters: a foreign page whose name was made to resolve to 127.0.0.1 has the same origin, too, but not a
    loopback name.
    """
    page = headers.get("Origin")
    origin = _split(page) if page else None
    if origin is None or "X-Forwarded-Host" in headers or "Forwarded" in headers or "X-Forwarded-For" in headers:
        return False
    return is_same_origin(headers) and is_loopback(origin.hostname or "")


def is_asked_by(headers: Mapping[str, str], names: Iterable[str]) -> bool:
    """Whether a service may be reached by the request's `Host`: a loopback name, an address, a name without a dot, or
    one of `names`, where ".example.org" stands for all names below it and "*" for every name.

    A page whose name was made to resolve to this machine (DNS rebinding) has the service's origin, but it uses that
    name as the Host. It cannot use an address, or a name without a dot, which nobody can register; and only programs
    send no Host.
    """
    host = headers.get("Host")
    if host is None:
        return True
    split = _split(f"http://{host}")
    if split is None or "@" in host:
        return False
    name = (split.hostname or "").rstrip(".")
    return (
        "." not in name or is_loopback(name) or is_address(name) or any(_covers(known.lower(), name) for known in names)
    )


PROXIES_SAY = ("forwarded", "x-forwarded-", "x-proxycontextpath", "x-real-ip", "via")
"""How headers begin that proxies add, jupyter-server-proxy among them. No page can: a WebSocket's handshake has no
headers of its page's choice."""


REBOUND = (
    "a page of %s was refused, whose name may have been made to resolve to this machine: name it in WSLINK_ORIGINS, "
    "set a secret, or have the proxy in front send X-Forwarded-For"
)
"""What is logged of it."""


def may_be_rebound(headers: Mapping[str, str], allowed: Iterable[str], port: int) -> bool:
    """Whether a handshake at a server that only this machine can reach may come from a page whose name was made to
    resolve to this machine (DNS rebinding): its Host is a name that anyone may have registered, with the port on which
    the connection arrived, and no proxy has forwarded it. Such a page has the server's origin, so that `is_allowed`
    accepts it.

    Args:
        allowed: known origins, as for `is_allowed`.
        port: the server's port. A browser that requests another one has come through a proxy.
    """
    page = headers.get("Origin")
    return (
        page is not None
        and not is_asked_by(headers, ())
        and any(port == asked for _, asked in _own_addresses({"Host": headers["Host"]}, page.partition(":")[0].lower()))
        and not any(name.lower().startswith(PROXIES_SAY) for name in headers)
        and not is_listed(page, allowed)
    )


def _covers(known: str, name: str) -> bool:
    return known in ("*", name) or (known.startswith(".") and name.endswith(known))


def _own_addresses(headers: Mapping[str, str], scheme: str) -> set[Address]:
    names = [headers.get("Host", ""), headers.get("X-Forwarded-Host", "").split(",")[0]]
    for pair in headers.get("Forwarded", "").split(",")[0].split(";"):
        key, _, value = pair.strip().partition("=")
        if key.lower() == "host":
            names.append(value.strip('"'))
    splits = [_split(f"{scheme}://{name.strip()}") for name in names if name.strip()]
    return {_address(split) for split in splits if split is not None}


def _split(url: str) -> SplitResult | None:
    if not url:
        return None
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 - raises if it is no number
    except ValueError:
        return None
    return split if split.hostname and split.scheme in _DEFAULT_PORTS else None


def _address(split: SplitResult) -> Address:
    return (split.hostname or "").lower(), split.port or _DEFAULT_PORTS[split.scheme]


def _matches(origin: str, pattern: str) -> bool:
    if pattern == "*" or origin.lower() == pattern.lower().rstrip("/"):
        return True
    split, wanted = _split(origin), _split(pattern.removesuffix(":*"))
    if split is None or wanted is None or split.scheme != wanted.scheme:
        return False
    # Browsers omit the default port of the scheme, and send names in ASCII.
    same_port = pattern.endswith(":*") or _address(split)[1] == _address(wanted)[1]
    return same_port and _address(split)[0] == ascii_name(wanted.hostname or "")
