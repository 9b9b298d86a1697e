"""Server addresses: the URL of the WebSocket, given directly or derived from the page's URL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit, urlunsplit

from wslink.errors import UsageError

SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def socket_url(target: str) -> tuple[str, str | None]:
    """Return the WebSocket's URL for the URL of a server or of its page, and the secret that it contains.

    Raises:
        UsageError: the scheme is not http, https, ws or wss.
    """
    try:
        parts = urlsplit(target)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"{target!r} is not the URL of a server, such as ws://localhost:8080/ws or http://localhost:8080/"
        )
    path = parts.path
    if parts.scheme in ("http", "https") and not path.endswith("/ws"):
        path = f"{path.rpartition('/')[0]}/ws"
    secret = parse_qs(parts.query).get("secret", [None])[0]
    kept = "&".join(pair for pair in parts.query.split("&") if pair and not pair.startswith("secret="))
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, path or "/ws", kept, "")), secret


def shown_url(url: str) -> str:
    """An address for messages and logs, without the query and the user information, which may contain tokens and
    passwords."""
    address = url.partition("#")[0].partition("?")[0]
    scheme, slashes, rest = address.partition("//")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"
