"""Groups of clients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from wslink.errors import UsageError
from wslink.wire.messages import is_text


class Member(Protocol):
    """A client, as a member of groups."""

    @property
    def id(self) -> str: ...


MemberT = TypeVar("MemberT", bound=Member)

Change = Callable[[str, str, bool], None]
"""Receives a client's id, a group's name, and whether the client has joined or left."""


def check_group(name: object) -> None:
    """Raise UsageError for a name that no group can have: other workers and pages have to be able to decode it."""
    if not isinstance(name, str) or not name or not is_text(name):
        raise UsageError(f"a group's name is a string that is not empty, not {name!r}")


class Group(Collection[MemberT]):
    """The clients that have joined a group. Created by `App.group`. It is a live view: clients join and leave while it
    is in use. Iterating over it yields a snapshot, and is safe from any thread.

    Attributes:
        name: its name.
    """

    __slots__ = ("_clients", "_groups", "name")

    def __init__(self, name: str, groups: Groups, clients: Mapping[str, MemberT]) -> None:
        check_group(name)
        self.name: str = name
        self._groups = groups
        self._clients = clients

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The ids of its clients, in the order in which they joined."""
        return self._groups.members(self.name)

    def __iter__(self) -> Iterator[MemberT]:
        found = (self._clients.get(id_) for id_ in self.client_ids)
        return iter([client for client in found if client is not None])

    def __len__(self) -> int:
        return len(self._groups.members(self.name))

    def __contains__(self, client: object) -> bool:
        """Whether a client is in the group. It may be given as a Client or by its id."""
        return getattr(client, "id", client) in self._groups.members(self.name)

    def __repr__(self) -> str:
        return f"<Group {self.name} of {len(self)}>"


class Groups:
    """The members of all groups. Safe to use from any thread.

    Args:
        lock: held while it changes.

    Attributes:
        changes: called for every change, on the thread that makes it.
    """

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self.changes: list[Change] = []
        self._lock = lock
        self._members: dict[str, dict[str, None]] = {}
        self._of: dict[str, dict[str, None]] = {}
        self._snapshots: dict[str, tuple[str, ...]] = {}

    def members(self, name: str) -> tuple[str, ...]:
        """The ids of the clients in a group."""
        found = self._snapshots.get(name)
        if found is None:
            with self._lock:
                found = tuple(self._members.get(name, ()))
                if found:
                    self._snapshots[name] = found
        return found

    def of(self, client_id: str) -> tuple[str, ...]:
        """The groups that a client is in."""
        with self._lock:
            return tuple(self._of.get(client_id, ()))

    def join(self, client_id: str, name: str) -> bool:
        """Add a client to a group; False if it is in the group already. Raises UsageError if the name is empty or not a
        string."""
        check_group(name)
        with self._lock:
            members = self._members.setdefault(name, {})
            if client_id in members:
                return False
            members[client_id] = None
            self._of.setdefault(client_id, {})[name] = None
            self._snapshots.pop(name, None)
        self._notify(client_id, name, True)
        return True

    def leave(self, client_id: str, name: str) -> bool:
        """Remove a client from a group; False if it is not in the group."""
        with self._lock:
            groups = self._of.get(client_id, {})
            if name not in groups:
                return False
            del groups[name], self._members[name][client_id]
            if not groups:
                del self._of[client_id]
            if not self._members[name]:
                del self._members[name]
            self._snapshots.pop(name, None)
        self._notify(client_id, name, False)
        return True

    def leave_all(self, client_id: str) -> None:
        """Remove a client from all groups: it has gone."""
        for name in self.of(client_id):
            self.leave(client_id, name)

    def _notify(self, client_id: str, name: str, joined: bool) -> None:
        for change in self.changes:
            change(client_id, name, joined)
