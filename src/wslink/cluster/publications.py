"""Publications between workers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from wslink.cluster import records as kinds
from wslink.cluster.records import Draft, Record, hashable
from wslink.cluster.versions import Versions
from wslink.errors import UsageError
from wslink.hub.cluster import Outgoing, Version
from wslink.hub.groups import Group
from wslink.hub.hub import Hub
from wslink.hub.publishing import Delivery, slot_of
from wslink.hub.recipients import Recipients, ids_of
from wslink.hub.retained import RetainedValue
from wslink.hub.topics import Topic
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.v2_msgpack import Packed
from wslink.wire.value import Value

RESTART = 1012
"""The close code "service restart" (IANA's registry): the client reconnects."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Clients by their ids; hub.recipients.Addressable."""

    client_ids: tuple[str, ...]


class Publications:
    """Creates records from publications, and publications from records."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def draft(self, one: Outgoing, version: Version) -> Draft:
        """Raises NotSerializable for a key or a tag that cannot be encoded."""
        heads, buffers = one.packed.flatten()
        fields = [one.topic, one.delivery, one.retain, dict(one.tags), cast(Value, one.key), list(version), heads]
        return Draft(kinds.PUBLICATION, [*fields, _address(one.to), _address(one.exclude)], buffers)

    def version_of(self, record: Record) -> Version:
        time, worker = record.fields[5]
        return float(time), str(worker)

    def stays_here(self, one: Outgoing) -> bool:
        """Whether a publication is only for clients of this worker."""
        if one.to is None or isinstance(one.to, Group):
            return False
        return all(self._hub.community.get(id_) is not None for id_ in ids_of(one.to) or ())

    def deliver(self, record: Record, versions: Versions, again: bool = False, had: tuple[str, ...] = ()) -> None:
        """Send a publication to this worker's clients. The payload is decoded only if an encoder needs it.

        Args:
            again: whether this worker may have received it before.
            had: clients that have received it at another worker.
        """
        topic, value, slot = self._read(record)
        to, exclude = record.fields[7:]
        if to is None and not versions.is_news(slot, value.version) and (again or topic.delivery == "latest"):
            return
        recipients: Recipients | None = self._recipients(exclude)
        if had:
            recipients = Ids((*had, *(ids_of(recipients) or ())))
        topic.receive(value, slot, self._recipients(to), recipients)

    def deliver_to(self, record: Record, client_id: str, versions: Versions) -> None:
        """Send one client a publication that others of this worker have received, unless it is out of date."""
        topic, value, slot = self._read(record)
        to, exclude = map(self._recipients, record.fields[7:])
        if to is not None and client_id not in (ids_of(to) or ()):
            return
        if topic.delivery != "latest" or versions.is_newest(slot, value.version):
            topic.receive(value, slot, Ids((client_id,)), exclude)

    def _read(self, record: Record) -> tuple[Topic, RetainedValue, Hashable]:
        """Parse a publication: its topic, its payload, and its slot."""
        name, delivery, retain, tags, key, _, heads, _, _ = record.fields
        topic = self._topic(str(name), delivery, bool(retain))
        slot = (
            slot_of(topic.name, tags, hashable(key))
            if topic.delivery == "latest" or topic.retained is not None
            else None
        )
        packed = Packed.restore(heads, record.payload)
        return topic, RetainedValue(tags, {V2_WITH_ARRAYS: packed}, self.version_of(record), hashable(key)), slot

    def retained(self, worker: str) -> Iterator[Draft]:
        """The retained values for a worker that has just started."""
        for topic in list(self._hub.subscriptions.topics.values()):
            for value in topic.retained.values() if topic.retained is not None and topic.shared else ():
                heads, buffers = value.packed(V2_WITH_ARRAYS).flatten()
                fields = [worker, topic.name, topic.delivery, True, dict(value.tags), cast(Value, value.key)]
                yield Draft(kinds.RETAINED, [*fields, list(value.version), heads, None, None], buffers)

    def give_up(self, why: str) -> None:
        """Disconnect the clients that are promised every publication of a topic on which others may publish."""
        for topic in list(self._hub.subscriptions.topics.values()):
            if not topic.shared or topic.delivery != "reliable":
                continue
            for subscription in topic.subscriptions:
                if subscription.session.subscribing:
                    subscription.session.close(RESTART, why)

    def _topic(self, name: str, delivery: Delivery, retain: bool) -> Topic:
        topic = self._hub.subscriptions.topics.get(name)
        if topic is None or not topic.declared:
            try:
                return self._hub.subscriptions.topic(name, delivery, retain or None)
            except UsageError:  # another thread has created it in the meantime
                return self._hub.subscriptions.open_topic(name)
        return topic

    def _recipients(self, address: Any) -> Recipients | None:
        if address is None:
            return None
        kind, names = address
        return self._hub.community.group(str(names)) if kind == "group" else Ids(tuple(map(str, names)))


def _address(recipients: Recipients | None) -> Value:
    if recipients is None:
        return None
    if isinstance(recipients, Group):
        return ["group", recipients.name]
    return ["ids", list(ids_of(recipients) or ())]
