"""A server's authenticated clients, and their groups."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol

from wslink.hub.clients import Client, Clients
from wslink.hub.groups import Group, Groups
from wslink.session.identity import Identity, Opening
from wslink.session.view import SessionView

JoinHandler = Callable[[Client, str], "Awaitable[None] | None"]
"""Receives a client, and the name of the group that it has joined or left."""


class Host(Protocol):
    """The server of a community."""

    @property
    def lock(self) -> AbstractContextManager[object]: ...

    def handle(self, handler: Callable[[str], Awaitable[None] | None], argument: str) -> None:
        """Run a handler of the application."""

    def on_loop(self, function: Callable[[], None]) -> None:
        """See Client."""

    def to_loop(self, function: Callable[[], None]) -> None:
        """Run `function` on the event loop's thread; at once if the caller is on it."""


class Community:
    """A server's authenticated clients, and their groups.

    Args:
        host: the server.

    Attributes:
        clients: all clients, by id.
        remote: the clients of other workers.
        entered, gone: called with each client of this worker that connects, and that has gone for good.
        changes: called on the event loop's thread with each client, of any worker, that joins (True) or leaves a group.
        groups: see Groups.
        on_join, on_leave: called for clients of this worker, and for those of a crashed worker if no other worker does.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clients: dict[str, Client] = {}
        self.remote: dict[str, Client] = {}
        self.clients: Clients = Clients(self._clients, self.remote)
        self.entered: list[Callable[[Client], None]] = []
        self.gone: list[Callable[[Client], None]] = []
        self.changes: list[Callable[[Client, str, bool], None]] = []
        self.groups: Groups = Groups(host.lock)
        self.groups.changes.append(self._changed)
        self.on_join: list[JoinHandler] = []
        self.on_leave: list[JoinHandler] = []
        self._presences: dict[tuple[str, str], Callable[[], None]] = {}

    def make(self, session: SessionView, identity: Identity, opening: Opening) -> Client:
        """Create a client that has authenticated."""
        return Client(session, identity, opening.address, self._host.on_loop, self)

    def get(self, id_: str) -> Client | None:
        return self._clients.get(id_)

    @property
    def local(self) -> tuple[Client, ...]:
        """The clients of this worker."""
        return tuple(self._clients.values())

    def enter(self, client: Client) -> None:
        self._clients[client.id] = client
        for notify in self.entered:
            notify(client)

    def go(self, client: Client) -> None:
        """The client has gone for good. It leaves its groups first."""
        self.groups.leave_all(client.id)
        self._clients.pop(client.id, None)
        for notify in self.gone:
            notify(client)

    def release(self, client: Client) -> None:
        """The client has moved to another worker, and stays in its groups."""
        self._clients.pop(client.id, None)

    def replace_presence(self, topic: str, group: str, end: Callable[[], None]) -> None:
        """A group's presence on a topic begins, which `end` ends; the one before ends."""
        before = self._presences.get((topic, group))
        if before is not None:
            before()
        self._presences[topic, group] = end

    def group(self, name: str) -> Group[Client]:
        return Group(name, self.groups, self.clients)

    # clients.Membership

    def join(self, client: Client, name: str) -> bool:
        return self._clients.get(client.id) is client and self.groups.join(client.id, name)

    def leave(self, client: Client, name: str) -> bool:
        return self.groups.leave(client.id, name)

    def groups_of(self, client: Client) -> tuple[str, ...]:
        return self.groups.of(client.id)

    def _changed(self, client_id: str, name: str, joined: bool) -> None:
        client = self._clients.get(client_id)
        if client is not None:
            self.tell(client, name, joined)
        someone = client or self.remote.get(client_id)
        if someone is not None and self.changes:
            self._host.to_loop(functools.partial(self._change, someone, name, joined))

    def _change(self, client: Client, name: str, joined: bool) -> None:
        for change in self.changes:
            change(client, name, joined)

    def tell(self, client: Client, name: str, joined: bool) -> None:
        """Call the application's handlers."""
        for handler in tuple(self.on_join if joined else self.on_leave):
            self._host.to_loop(functools.partial(self._host.handle, functools.partial(handler, client), name))
