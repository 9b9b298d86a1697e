"""Which ports this machine has connections with."""

from __future__ import annotations

import psutil


def busy_ports() -> set[int]:
    """Ports of this machine's established TCP connections: its own, for sessions here, and the other side's, for
    sessions elsewhere that a web server here leads to. Blocks for some milliseconds. Empty where the system does not
    tell, which macOS does for the administrator alone."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return set()
    established = [one for one in connections if one.status == psutil.CONN_ESTABLISHED]
    return {address.port for one in established for address in (one.laddr, one.raddr) if address}
