"""The hub's interface to other workers: `cluster.Cluster` implements it. The relay for WebSockets is wslink.relay."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Mapping
from typing import Protocol

import msgspec

from wslink.hub.filters import Tag
from wslink.hub.recipients import Recipients
from wslink.wire.v2_msgpack import Packed
from wslink.wire.value import Value

Version = tuple[float, str]
"""When something was published, and by which worker: of two values of a key, the greater one is the newest."""
UNVERSIONED: Version = (0.0, "")


class Outgoing(msgspec.Struct):
    """A publication for other workers.

    Attributes:
        topic, delivery, retain: of the topic.
        packed: the payload, encoded with arrays.
        slot: what it is the newest of; None with "reliable" delivery that retains nothing.
        key: what the publisher gave as the key.
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


class Relay(Protocol):
    """Carries publications to other workers. `publish` may be called from any thread."""

    def begin(self) -> None:
        """Live on the running event loop. Safe to call more than once."""

    async def ready(self) -> None:
        """Wait until other workers can be reached. Raises BrokerError."""

    async def hand_over(self, timeout: float) -> None:
        """The server stops: give the sessions that can be resumed to other workers, within `timeout` seconds."""

    async def stop(self) -> None:
        """The server stops."""

    def recall(self, token: str) -> Awaitable[None] | None:
        """Have the session of a token come here from whichever worker holds it; None where there is no other. From the
        event loop's thread."""

    def publishing(self) -> None:
        """A publication begins, whose recipients are not known yet. From any thread."""

    def submitted(self) -> None:
        """It is on its way to this worker's clients, or has failed."""

    def publish(self, publication: Outgoing) -> Version:
        """Send a publication to the other workers; returns at once.

        Raises:
            BrokerError: if too much waits for them.
            NotSerializable: for a key that cannot be sent.
        """
