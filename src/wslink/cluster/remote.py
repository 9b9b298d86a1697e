"""Clients of other workers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from wslink.hub.clients import Client, Membership
from wslink.session.client_calls import OnProgress
from wslink.wire.value import Value

Order = Callable[["RemoteClient", str, Value], None]
"""Has a client's own worker do something: "disconnect" with a reason, "join" or "leave" with a group's name."""

Call = Callable[
    ["RemoteClient", str, Sequence[Value], Mapping[str, Value], "float | None"], Coroutine[Value, Value, Value]
]


class RemoteClient(Client):
    """A client that another worker serves. What is requested of it takes a moment: `join` and `leave` return True when
    the request was sent, and `groups` follows."""

    __slots__ = ("_attributes", "_call", "_order", "_user", "worker")

    def __init__(self, worker: str, known: list[Any], membership: Membership, order: Order, call: Call) -> None:
        self.id: str = str(known[0])
        self.address: str = str(known[2])
        self.connected_at: float = float(known[3])
        self._user, self._attributes = known[1], known[4]
        self.worker: str = worker
        self._membership = membership
        self._order = order
        self._call = call

    @property
    def user(self) -> str:
        return str(self._user)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return dict(self._attributes)

    @property
    def waiting(self) -> int:
        """0: only its own worker knows."""
        return 0

    async def call(
        self,
        method: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
        **kwargs: Any,
    ) -> Any:
        """Like Client.call, but without progress. Await it in the server's event loop or the application's."""
        return await self._call(self, method, args, kwargs, timeout)

    def disconnect(self, reason: str = "") -> None:
        self._order(self, "disconnect", reason)

    def join(self, group: str) -> bool:
        self._order(self, "join", group)
        return group not in self.groups

    def leave(self, group: str) -> bool:
        self._order(self, "leave", group)
        return group in self.groups
