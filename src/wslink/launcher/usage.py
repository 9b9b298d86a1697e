"""Which of this machine's ports have connections."""

from __future__ import annotations

import psutil


def busy_ports() -> set[int]:
    """Local ports of established TCP connections. Blocks for some milliseconds. Empty where the system does not
    tell, which macOS does for the administrator alone."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return set()
    return {one.laddr.port for one in connections if one.laddr and one.status == psutil.CONN_ESTABLISHED}
