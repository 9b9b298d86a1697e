"""Access to `/metrics` of servers, launchers and relays."""

from __future__ import annotations

from collections.abc import Mapping

from wslink.hosts import is_loopback

METRICS = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus's text format."""
PROXIED = ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Real-IP")
"""Headers by which a proxy tells that it speaks for somebody else."""


def is_local_program(headers: Mapping[str, str], remote: str | None) -> bool:
    """Whether a request is of a program of this machine that no proxy speaks for, and of no page."""
    from yarl import URL

    try:
        # A page in a browser of this machine asks by a name; one that was made to resolve to it is not a loopback name.
        named = URL.build(scheme="http", authority=headers.get("Host", "")).host or ""
    except ValueError:
        return False
    local = is_loopback(remote or "") and is_loopback(named)
    return local and "Origin" not in headers and not any(name in headers for name in PROXIED)
