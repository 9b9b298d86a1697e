"""Membership records: the clients and groups of a worker, and its start and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wslink.cluster import records as kinds
from wslink.cluster.calls import RemoteCalls
from wslink.cluster.host_memory import HostMemory
from wslink.cluster.peers import Peers
from wslink.cluster.records import Record
from wslink.cluster.sending import Sending
from wslink.hub.clients import Client
from wslink.hub.community import Community


class Membership:
    """Announces this worker's clients, and handles the announcements of others.

    Args:
        community: all clients.
        sending: this worker's records.
        peers, calls: the other workers, and calls to their clients.
        memory: what this worker shares with those of its host.
    """

    def __init__(
        self, community: Community, sending: Sending, peers: Peers, calls: RemoteCalls, memory: HostMemory
    ) -> None:
        self._community, self._sending, self._peers, self._calls = community, sending, peers, calls
        self._memory = memory
        self._tell = sending.tell
        community.entered.append(lambda client: self._tell(kinds.CAME, known(client)))
        community.gone.append(lambda client: self._tell(kinds.GONE, client.id))
        community.groups.changes.append(self._changed)

    @property
    def handlers(self) -> dict[str, Callable[[Record], None]]:
        """The handlers by kind of record."""
        peers = self._peers
        return {
            kinds.STATE: lambda record: peers.learn(record.origin, record.fields[0], *map(str, record.fields[1:2])),
            kinds.CAME: lambda record: peers.come(record.origin, record.fields[0]),
            kinds.GONE: self._parted,
            kinds.JOINED: lambda record: peers.joined(record.origin, record.fields[0], record.fields[1]),
            kinds.LEFT: lambda record: peers.left(record.origin, record.fields[0], record.fields[1]),
            kinds.LEAVING: lambda record: peers[record.origin].leave(),
            kinds.BYE: lambda record: self.bury(record.origin),
        }

    def introduce(self) -> None:
        """Announce this worker's clients."""
        self._tell(kinds.STATE, [known(client) for client in self._community.local], self._memory.host)

    def is_senior(self, without: str) -> bool:
        """Whether this is the worker that does what only one of them has to do."""
        return all(self._sending.origin < worker for worker in self._peers if worker != without)

    def bury(self, worker: str) -> None:
        """A worker has ended, and its clients have gone."""
        met = worker in self._peers
        orphans = self._peers.bury(worker)
        self._memory.forget(worker)
        self._memory.sweep()
        self._calls.look()
        if met and self.is_senior(worker):
            for client, groups in orphans:
                for group in groups:
                    self._community.tell(client, group, False)

    def _parted(self, record: Record) -> None:
        self._peers.part(record.origin, str(record.fields[0]))
        self._calls.look()

    def _changed(self, client_id: str, group: str, joined: bool) -> None:
        if self._community.get(client_id) is not None:
            self._tell(kinds.JOINED if joined else kinds.LEFT, client_id, group)


def known(client: Client) -> list[Any]:
    """What other workers are told about a client."""
    attributes: Mapping[str, Any] = client.attributes
    try:
        kinds.check(dict(attributes))
    except Exception:  # they cannot be encoded
        attributes = {}
    return [client.id, client.user, client.address, client.connected_at, dict(attributes), list(client.groups)]
