"""The hub's connection to other workers, as an interface. The package `wslink.cluster` implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Mapping
from typing import Protocol

import msgspec

from wslink.hub.filters import Tag
from wslink.hub.recipients import Recipients
from wslink.wire.v2_msgpack import Packed
from wslink.wire.value import Value

Version = tuple[float, str]
"""When a value was published and by which worker. The value with the greatest version is the newest of its key."""
UNVERSIONED: Version = (0.0, "")


class Outgoing(msgspec.Struct):
    """A publication for other workers.

    Attributes:
        topic, delivery, retain: the topic's name and settings.
        packed: the payload, encoded with typed arrays.
        tags: the publication's tags.
        key: the key that the publisher passed.
        slot: identifies the publications of which only the newest counts (see `publishing.slot_of`); None for
            "reliable" delivery without retained values.
        to, exclude: the recipients, as passed to `Topic.publish`.
    """

    topic: str
    delivery: str
    retain: bool
    packed: Packed
    tags: Mapping[str, Tag]
    key: Value
    slot: Hashable
    to: Recipients | None
    exclude: Recipients | None


class ClusterLink(Protocol):
    """Sends publications to other workers, and moves sessions between workers."""

    def begin(self) -> None:
        """Start on the running event loop. Safe to call more than once."""

    async def ready(self) -> None:
        """Wait until the broker is connected. Raises BrokerError."""

    async def hand_over(self, timeout: float) -> None:
        """Move resumable sessions to other workers before this one stops, within `timeout` seconds."""

    async def stop(self) -> None:
        """Leave the cluster: the server is stopping."""

    def recall(self, token: str) -> Awaitable[None] | None:
        """Request the session of `token` from whichever worker holds it. Returns an awaitable that completes once the
        session has moved here or no worker has it, or None if there is no other worker. Call it
        on the event loop's thread."""

    def publishing(self) -> None:
        """Called before the recipients of a publication are determined. May be called from any thread."""

    def submitted(self) -> None:
        """Called once that publication has been submitted to this worker's clients, or has failed. May be called from
        any thread."""

    def publish(self, publication: Outgoing) -> Version:
        """Send a publication to the other workers. Returns immediately. May be called from any thread.

        Raises:
            BrokerError: too much is already waiting to be sent to them.
            NotSerializable: the key cannot be encoded.
        """
