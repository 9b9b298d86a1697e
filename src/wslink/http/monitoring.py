"""The monitoring endpoints of servers, launchers and relays, and who may read them."""

from __future__ import annotations

from collections.abc import Mapping

from wslink.hosts import is_loopback

HEALTH, METRICS = "/health", "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus's text format."""
PROXIED = ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Real-IP")
"""Headers that show that a proxy forwarded the request."""


def is_local_program(headers: Mapping[str, str], remote: str | None) -> bool:
    """Whether a request comes directly from a program on this machine: through no proxy, and not from a web page."""
    from yarl import URL

    try:
        # A page in a browser on this machine may have had its own host name resolve to 127.0.0.1 (DNS rebinding).
        # The Host header then shows that name, which is not a loopback name.
        named = URL.build(scheme="http", authority=headers.get("Host", "")).host or ""
    except ValueError:
        return False
    local = is_loopback(remote or "") and is_loopback(named)
    return local and "Origin" not in headers and not any(name in headers for name in PROXIED)
