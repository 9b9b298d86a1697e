"""The interface of stores: what a launcher has to know to find its sessions again, and what launchers agree on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from wslink.launcher.admission import Admission, LocalAdmission
from wslink.launcher.configuration import Settings
from wslink.launcher.session import Session

Record = dict[str, Any]
"""What `Session.record` makes."""


@dataclass(frozen=True)
class Place:
    """The launcher that has a session.

    Attributes:
        launcher: its name.
        url: where it is reached.
        alive: whether it was there in the last seconds.
    """

    launcher: str
    url: str
    alive: bool


@dataclass
class Changes:
    """Changes to sessions by other launchers.

    Attributes:
        lost: ids of own sessions that another launcher has now.
        forgotten: ids of own sessions that the store does not know any more.
        adopted: sessions of launchers that have ended, which are this one's now.
    """

    lost: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    adopted: dict[str, Record | None] = field(default_factory=dict)


class Store(ABC):
    """Records of sessions. Nothing but `open` raises: what cannot be written now is written later."""

    shared: bool = False
    """Whether other launchers may have it too."""

    async def open(self) -> None:
        """Get ready.

        Raises:
            UsageError: if it cannot be had.
        """
        return

    def admission(self, settings: Settings, sessions: Mapping[str, Session]) -> Admission:
        """What bounds the sessions of one client."""
        return LocalAdmission(settings, sessions)

    @abstractmethod
    async def put(self, session_id: str, record: Record) -> None:
        """Write a record, or replace it."""

    @abstractmethod
    async def delete(self, session_id: str) -> None:
        """Delete a record, and what limits counted for it. One that is not this launcher's stays."""

    @abstractmethod
    async def records(self) -> dict[str, Record | None]:
        """This launcher's records by id; None of a session that was never started."""

    @abstractmethod
    async def look(self, own: Collection[str]) -> Changes:
        """Called every second: write what is late, and see what changed.

        Args:
            own: ids of sessions that this launcher has and has written.
        """

    async def find(self, session_id: str) -> Place | None:
        """Where a session is that this launcher does not have."""
        return None

    async def of_client(self, client: str) -> dict[str, Record]:
        """A client's sessions that other launchers have, by id."""
        return {}

    @abstractmethod
    async def close(self) -> None:
        """Give it up: what this launcher leaves is another's to take."""
