"""Clients of other workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wslink.hub.clients import Client, Membership
from wslink.wire.value import Value

Order = Callable[["RemoteClient", str, Value], None]
"""Has a client's own worker do something: "disconnect" with a reason, "join" or "leave" with a group's name."""


class RemoteClient(Client):
    """A client that another worker serves. What it does there takes a moment: `join` and `leave` return True once they
    have been asked for, and `groups` follows."""

    __slots__ = ("_attributes", "_order", "_user", "worker")

    def __init__(self, worker: str, known: list[Any], membership: Membership, order: Order) -> None:
        self.id, self._user, self.address, self.connected_at, self._attributes = known[:5]
        self.worker: str = worker
        self._membership = membership
        self._order = order

    @property
    def user(self) -> str:
        return str(self._user)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return dict(self._attributes)

    @property
    def waiting(self) -> int:
        """0: its own worker knows."""
        return 0

    def disconnect(self, reason: str = "") -> None:
        self._order(self, "disconnect", reason)

    def join(self, group: str) -> bool:
        self._order(self, "join", group)
        return group not in self.groups

    def leave(self, group: str) -> bool:
        self._order(self, "leave", group)
        return group in self.groups
