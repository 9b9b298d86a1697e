"""Resource use of sessions: connections and memory."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from wslink.launcher.spawners.tree import mark_of

LINUX_TABLES = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
ESTABLISHED = "01"
"""The state of a connection in these tables."""


def connections() -> Counter[int]:
    """The number of this machine's established TCP connections for each port: local ports, for sessions here, and
    remote ones, for sessions elsewhere that a web server here leads to. Blocks for some ten milliseconds. Empty if the
    system does not tell, as on macOS for anyone but the administrator."""
    pairs = list(_linux_pairs() if LINUX_TABLES[0].exists() else _pairs())
    # The larger number: a connection within this machine appears at both ends.
    return Counter(own for own, _ in pairs) | Counter(other for _, other in pairs)


def _linux_pairs() -> Iterator[tuple[int, int]]:
    """The ports of both ends. psutil reads the same tables, but then searches the files of all processes for their
    owners, which takes several times as long."""
    for table in LINUX_TABLES:
        with contextlib.suppress(OSError):  # a system may have no IPv6
            for line in table.read_text().splitlines()[1:]:
                _, own, other, state, _ = line.split(None, 4)
                if state == ESTABLISHED:
                    yield _port(own), _port(other)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _pairs() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(psutil.AccessDenied, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_ESTABLISHED and one.laddr and one.raddr:
                yield one.laddr.port, one.raddr.port


def memory(leaders: Mapping[int, str]) -> Counter[str]:
    """The memory of sessions' processes in bytes, by session id, determined by a single scan of all processes. Blocks
    for some ten milliseconds. Shared pages count for each process.

    Args:
        leaders: the session id of each process that was started for one. Its descendants, the processes in its Unix
            session, and those with the session's mark count for the session.
    """
    ids = set(leaders.values())
    parents: dict[int, int] = {}
    owners = dict(leaders)
    sizes: dict[int, int] = {}
    for process in psutil.process_iter(["ppid", "memory_info"]):
        if process.info["memory_info"] is None:  # another user's process, if the system does not tell
            continue
        parents[process.pid] = process.info["ppid"]
        sizes[process.pid] = process.info["memory_info"].rss
        owner = leaders.get(_unix_session(process.pid)) or mark_of(process.pid)
        if owner in ids:
            owners[process.pid] = owner
    held: Counter[str] = Counter()
    for pid, size in sizes.items():
        owner = _owner(pid, parents, owners)
        if owner is not None:
            held[owner] += size
    return held


def _owner(pid: int, parents: Mapping[int, int], owners: Mapping[int, str]) -> str | None:
    """The session of a process, or of its nearest ancestor that has one."""
    seen: set[int] = set()
    while pid not in owners and pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
    return owners.get(pid)


def _unix_session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):  # it has ended, or the system does not support it
        return 0
