"""The identity of a launcher among others that share its state."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from wslink.launcher.configuration import Settings


@dataclass(frozen=True)
class Identity:
    """A launcher, as others know it.

    Attributes:
        name: the same after a restart; no two launchers have one at a time.
        url: where other launchers reach it.
        machine: what processes it can see and end: those of this machine, container and user.
        process: this launcher's process, also after another got its number.
    """

    name: str
    url: str
    machine: str
    process: str


def identity(settings: Settings) -> Identity:
    """This launcher's. Its name is `host:port` unless `launcher` names it, and where others reach it the same unless
    `launcher_url` says where."""
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104
    place = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
    own = psutil.Process()
    return Identity(
        settings.launcher or f"{socket.gethostname()}:{settings.port}",
        (settings.launcher_url or f"http://{place}").rstrip("/"),
        _machine(),
        f"{own.pid}:{own.create_time()}:{secrets.token_hex(4)}",
    )


def runs(process: str) -> bool:
    """Whether the process of an `Identity` of this machine runs."""
    try:
        pid, created, _ = process.split(":")
        return psutil.Process(int(pid)).create_time() == float(created)
    except (psutil.Error, ValueError):
        return False


def _machine() -> str:
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{socket.gethostname()} {space} {user}"
