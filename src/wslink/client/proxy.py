"""The HTTP proxy of a client."""

from __future__ import annotations

import urllib.request

from yarl import URL

from wslink.errors import UsageError
from wslink.hosts import is_loopback

_NAMES = {"ws": ("ws", "http", "all"), "wss": ("wss", "https", "all")}
"""The variables that count for a scheme, without `_PROXY`; the first that is set does."""


def find_proxy(url: str, choice: str | bool) -> str | None:
    """Return the proxy for a connection to `url`, or None for a direct one.

    Args:
        choice: the proxy's address; True for the environment's (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and
            `NO_PROXY`, also in lower case), except for loopback addresses; False for none.

    Raises:
        UsageError: the address is not http:// or https://.
    """
    if isinstance(choice, str):
        if not _is_http(choice):
            raise UsageError(f"proxy is {choice!r}: an address such as http://proxy.example.org:3128 is needed")
        return choice
    try:
        target = URL(url)
    except ValueError as error:
        raise UsageError(f"{url!r:.100} is not a ws:// or wss:// URL: {error}") from None
    host = target.host
    if not host:
        raise UsageError(f"{url!r:.100} names no host")
    if not choice or is_loopback(host) or urllib.request.proxy_bypass(f"{host}:{target.port}"):
        return None
    known = urllib.request.getproxies()
    return next((known[name] for name in _NAMES[target.scheme] if _is_http(known.get(name, ""))), None)


def _is_http(address: str) -> bool:
    return address.startswith(("http://", "https://"))
