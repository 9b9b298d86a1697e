"""The other workers, as far as this one knows them."""

from __future__ import annotations

import logging
from typing import Any

from wslink.cluster.remote import Call, Order, RemoteClient
from wslink.hub.clients import Client
from wslink.hub.community import Community

logger: logging.Logger = logging.getLogger("wslink")

MAX_BURIED = 1_000
"""Workers that have ended and whose late records are passed over."""


class Peer:
    """Another worker.

    Attributes:
        number: the number of its latest record.
        heard: when that was read, in seconds of a monotonic clock.
        leaving: whether it is stopping, and accepts no sessions.
        host: the host it is on; "" while unknown, or if it shares no memory (cluster.host_memory).
        clients: its clients, by id.
    """

    __slots__ = ("clients", "heard", "host", "leaving", "number")

    def __init__(self, number: int, heard: float) -> None:
        self.number: int = number
        self.heard: float = heard
        self.leaving: bool = False
        self.host: str = ""
        self.clients: dict[str, RemoteClient] = {}

    def leave(self) -> None:
        """It is stopping."""
        self.leaving = True


class Peers(dict[str, Peer]):
    """The other workers by name, and their clients as part of the community.

    Args:
        community: all clients.
        order, call: see RemoteClient.
    """

    def __init__(self, community: Community, order: Order, call: Call) -> None:
        super().__init__()
        self._community = community
        self._order = order
        self._call = call
        self._buried: dict[str, None] = {}

    def is_buried(self, worker: str) -> bool:
        """Whether a worker has ended, or is considered dead."""
        return worker in self._buried

    def meet(self, worker: str, number: int, now: float) -> Peer:
        """Return the worker that sent a record with that number. Records before the first one that is read do not
        count."""
        peer = self.get(worker)
        if peer is None:
            peer = self[worker] = Peer(number - 1, now)
        return peer

    def beside(self, host: str) -> list[str] | None:
        """The other workers, if all are on that host."""
        return list(self) if all(peer.host == host for peer in self.values()) else None

    def learn(self, worker: str, known: list[list[Any]], host: str = "") -> None:
        """Set all clients of a worker, and its host."""
        self[worker].host = host
        gone = self[worker].clients.keys() - {one[0] for one in known}
        for id_ in gone:
            self.part(worker, id_)
        for one in known:
            self.come(worker, one)

    def come(self, worker: str, known: list[Any]) -> None:
        """A client has connected, or its description has changed: the arguments of RemoteClient, and its groups."""
        peer, id_ = self[worker], str(known[0])
        client = peer.clients.get(id_)
        if client is None:
            self._forget(id_)
            client = peer.clients[id_] = RemoteClient(worker, known, self._community, self._order, self._call)
            self._community.remote[id_] = client
        groups, before = [str(group) for group in known[5]], set(client.groups)
        for group in groups:
            self._community.groups.join(id_, group)
        for group in before - set(groups):
            self._community.groups.leave(id_, group)

    def _forget(self, id_: str) -> None:
        """A client of another worker is moving: it stays in its groups."""
        before = self._community.remote.pop(id_, None)
        if isinstance(before, RemoteClient) and before.worker in self:
            self[before.worker].clients.pop(id_, None)

    def arrive(self, id_: str) -> None:
        """A client has moved from another worker to this one."""
        self._forget(id_)

    def part(self, worker: str, id_: str) -> RemoteClient | None:
        """A client has gone."""
        client = self[worker].clients.pop(id_, None)
        if client is not None:
            self._community.groups.leave_all(id_)
            if self._community.remote.get(id_) is client:
                del self._community.remote[id_]
        return client

    def joined(self, worker: str, id_: str, group: str) -> None:
        if id_ in self[worker].clients:
            self._community.groups.join(id_, group)

    def left(self, worker: str, id_: str, group: str) -> None:
        if id_ in self[worker].clients:
            self._community.groups.leave(id_, group)

    def bury(self, worker: str) -> list[tuple[Client, tuple[str, ...]]]:
        """A worker has ended. Returns its clients, which have gone, each with its groups."""
        self._buried[worker] = None
        if len(self._buried) > MAX_BURIED:
            del self._buried[next(iter(self._buried))]
        peer = self.get(worker)
        if peer is None:
            return []
        orphans: list[tuple[Client, tuple[str, ...]]] = [(one, one.groups) for one in peer.clients.values()]
        for client, _ in orphans:
            self.part(worker, client.id)
        del self[worker]
        return orphans
