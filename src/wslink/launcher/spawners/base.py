"""The interface of spawners, and the table of those that come with the launcher.

To add one, write a class with this interface and name it in an application: `"spawner": "package.module:Class"`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from wslink.errors import UsageError
from wslink.launcher.configuration import Configuration, Limits

SPAWNERS = {
    "local": "wslink.launcher.spawners.local:LocalSpawner",
    "command": "wslink.launcher.spawners.command:CommandSpawner",
    "slurm": "wslink.launcher.spawners.slurm:SlurmSpawner",
}
"""Each spawner's import string."""


HANDLE, COMMAND = "\0handle", "\0command"
"""What `${handle}` and `${command}` are in `LaunchSpec.options`, for spawners to fill in. No posted value has a NUL."""


@dataclass(frozen=True)
class LaunchSpec:
    """A process to start. All variables are filled in.

    Attributes:
        id: the session's, unguessable.
        command: program and arguments. It is never given to a shell.
        environment: variables added to the launcher's own.
        host: the host of the session's port.
        port: the port that the session has to listen on.
        log: the file that gets what the session writes, both streams. It survives the session.
        cwd: the working directory; empty for the launcher's.
        limits: what the processes may use.
        grace: seconds between an interrupt, a request to end and a kill.
        options: the application's `options`, for the spawner, with variables filled in.
    """

    id: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    host: str
    port: int
    log: Path
    cwd: str = ""
    limits: Limits = field(default_factory=Limits)
    grace: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "log": str(self.log), "limits": msgspec.structs.asdict(self.limits)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> LaunchSpec:
        changed = {
            "command": tuple(record["command"]),
            "log": Path(record["log"]),
            "limits": msgspec.convert(record["limits"], Limits),  # without what another version has more
        }
        return cls(**{**record, **changed})


class Spawner(ABC):
    """Runs one session. Made for one launch; started once, or given the state of one that runs already.

    Methods run on the event loop's thread and must not block it.
    """

    anywhere: bool = False
    """Whether a launcher on another machine that shares the state can `restore` a session and stop it."""

    def __init__(self, spec: LaunchSpec) -> None:
        self.spec = spec

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Called with an application's `options` when a configuration is read.

        Raises:
            UsageError: naming the option that is wrong and what is allowed.
        """
        return

    @abstractmethod
    async def start(self) -> None:
        """Start the session. Returns once it has been handed over, not once it is ready.

        Raises:
            StartFailed: if it cannot be started. Then nothing is left to stop.
        """

    @abstractmethod
    async def poll(self) -> int | None:
        """None while it runs or waits to run; its exit code after that, 0 where nobody knows it.

        Asked every 20 ms while the session starts and every second later: what is slow has to be asked for less
        often, and remembered.
        """

    @abstractmethod
    async def stop(self) -> None:
        """End it and everything that it has started, and return when all of it has gone. Called for sessions that
        have ended by themselves too, and safe to call again."""

    def state(self) -> dict[str, Any]:
        """What `restore` needs to find the session again; JSON. Asked for after `start`, and when it was ready."""
        return {}

    async def restore(self, state: Mapping[str, Any]) -> bool:
        """Find a session that an earlier launcher started. `state` is empty where that one ended before `start`
        returned.

        Returns:
            Whether it runs. `stop` is called if not, for what may be left of it.
        """
        return False

    def leave(self) -> None:
        """Do nothing for the session any more, and let it run: another launcher has taken it over."""
        return

    def address(self) -> tuple[str, int]:
        """Where the session listens; port 0 as long as that is not known. A session is not ready before."""
        return self.spec.host, self.spec.port

    def users(self) -> frozenset[int] | None:
        """The users whose processes of this machine may listen on the session's port, beside the launcher's own and
        root. None where the session does not run on this machine, or nobody knows: then whoever listens is taken for
        it."""
        return None

    def pid(self) -> int | None:
        """The process of this machine that the session was started as: administrators are shown how much memory it and
        its descendants hold. None where there is none."""
        return None

    def handoff_directory(self) -> str:
        """A directory that the session was told in WSLINK_HANDOFF: a wslink server in it takes connections there. Empty
        where the session runs on another machine or as another user."""
        return ""

    def progress(self) -> str:
        """What it is waiting for, in a few words for the user: "in the queue, position 3". Empty when it runs."""
        return ""


def find_spawner(name: str) -> type[Spawner]:
    """The class that an application's `spawner` names.

    Raises:
        UsageError: if there is none.
    """
    module, _, attribute = SPAWNERS.get(name, name).partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        known = ", ".join(SPAWNERS)
        raise UsageError(f"spawner {name!r}: one of {known}, or package.module:Class ({error})") from error
    if not (isinstance(found, type) and issubclass(found, Spawner)):
        raise UsageError(f"spawner {name!r} is not a wslink.launcher.spawners.base.Spawner")
    return found


def find_spawners(configuration: Configuration) -> dict[str, type[Spawner]]:
    """The class for each application.

    Raises:
        UsageError: if there is none, or an application's options are wrong.
    """
    found = {}
    for name, app in configuration.apps.items():
        found[name] = find_spawner(app.spawner)
        try:
            found[name].check(app.options)
        except UsageError as error:
            raise UsageError(f"apps.{name}.{error}") from error
    return found
