"""Publishing on a topic: encode once, deliver to the subscriptions whose filters match."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal, TypeVar

from wslink.errors import UsageError
from wslink.hub.audience import Audience, MemberT, Targets
from wslink.hub.cluster import UNVERSIONED, ClusterLink, Outgoing
from wslink.hub.filters import Tag, Tags, check_tags
from wslink.hub.latest import equal_to_itself
from wslink.hub.ports import Publisher
from wslink.hub.quality import Rendered
from wslink.hub.recipients import Recipients
from wslink.hub.retained import Retained, RetainedValue
from wslink.rpc.call import Call, current_call
from wslink.session.observers import Published
from wslink.wire.codec import V2_WITH_ARRAYS, Encoder

Delivery = Literal["reliable", "latest"]
DELIVERIES = ("reliable", "latest")

Check = Callable[[Any, "Tags | None"], None]
"""Raises UsageError for a payload and tags that do not match a topic's declaration."""
T = TypeVar("T")


def slot_of(topic: str, tags: Mapping[str, Tag], key: Hashable) -> Hashable:
    """Return a value that identifies the publications of which only the newest counts (SUB-13). Raises UsageError if
    the key is not hashable."""
    if key is None:
        plain = ((name, isinstance(tag, bool), equal_to_itself(tag)) for name, tag in tags.items())
        return (topic, tuple(sorted(plain)))
    try:
        hash(key)
    except TypeError:
        raise UsageError(f"key {key!r} is not hashable: use a string, a number or a tuple of these") from None
    return (topic, equal_to_itself(key))


def _encoders(targets: Targets, cluster: ClusterLink | None) -> set[Encoder]:
    """The encoders that a publication needs, for clients and for other workers."""
    encoders = {encoder for encoder, _ in targets}
    return encoders if cluster is None else {V2_WITH_ARRAYS, *encoders}


class Publishing(Audience[MemberT]):
    """The part of a topic that publishes. See Topic."""

    def __init__(self, name: str, delivery: Delivery, publisher: Publisher) -> None:
        super().__init__(name, publisher)
        self.delivery: Delivery = delivery
        self.shared: bool = True
        """Whether clients of other workers receive its publications."""
        self.retained: Retained | None = None
        """The newest values, if new subscribers are sent them (SUB-14)."""
        self.lane: int | None = None
        """The lane of its publications; None if it depends on their size (LANE-2)."""
        self.check: Check | None = None  # in debug mode
        self._publisher = publisher
        self._numbers = itertools.count()

    def retain(self) -> None:
        """Retain the newest value of each key from now on."""
        self.retained = Retained(lambda: self._publisher.max_retained)

    def deliver_to(
        self,
        subscription: MemberT,
        packed: Any,
        label: Rendered | None,
        slot: Hashable = None,
        tags: Tags | None = None,
    ) -> None:
        """Send a payload, encoded for its session, to one subscription. Call it on the event loop's thread.

        Args:
            label: what it was rendered at; None if it says nothing about the quality that fits.
            slot, tags: see `slot_of` and `publish`; None if it is for this subscription, whatever its filter.
        """
        session = subscription.session
        ids = (subscription.id,) if session.subscribing else None
        id_ = f"publish:{self.name}:{next(self._numbers)}"
        message = session.encoder.publication(id_, packed, ids, self._publisher.max_frame)
        for notify in self._publisher.observers.published:
            notify(Published(self.name, tags, packed, message.size, (session,)))
        if session.flow is None or ids is None or self.delivery == "reliable":
            session.send(message, slot, (self.name,), self.lane)
        else:
            about = (ids, tags or {})
            session.send_within(message, slot, (self.name,), session.flow.gates(ids), label, about, self.lane)

    def publish(
        self,
        payload: Any,
        tags: Tags | None = None,
        *,
        key: Hashable = None,
        to: Recipients | None = None,
        exclude: Recipients | None = None,
    ) -> int:
        """Send `payload` to the clients whose filters match `tags`. May be called from any thread; returns at once.
        The payload is encoded before this returns, at most once per protocol version, so it may be changed afterwards.
        Read-only buffers and arrays (`array.flags.writeable = False`) of 64 KiB or more are sent without a copy.

        Args:
            tags: strings, numbers or booleans by name, for filters; they are not sent.
            key: with "latest" delivery, identifies what a publication replaces. By default its tags do.
            to, exclude: send it to this client only, or to all others: a client's id, a Client or a Group.

        Returns:
            The number of clients of this worker that it is sent to; 0, with a warning, for the id of a client that is
            not known.

        Raises:
            UsageError: for tags that are not allowed; in debug mode also for a payload or tags that do not match the
                topic's declaration.
            NotSerializable: the payload cannot be encoded; it is sent to no client.
            BrokerError: the broker does not take it; it is sent to no client.
        """
        plain = check_tags(tags) if tags else {}
        if self.check is not None:
            self.check(payload, plain)
        cluster = self._publisher.cluster if self.shared else None
        if cluster is None:
            return self._publish(payload, plain, key, to, exclude, None)
        cluster.publishing()
        try:
            return self._publish(payload, plain, key, to, exclude, cluster)
        finally:
            cluster.submitted()

    def _publish(
        self,
        payload: Any,
        plain: dict[str, Tag],
        key: Hashable,
        to: Recipients | None,
        exclude: Recipients | None,
        cluster: ClusterLink | None,
    ) -> int:
        subscriptions = self.subscriptions
        targets = self._targets(subscriptions, plain, to, exclude)
        if self.retained is not None and to is None:
            return self._publish_retained(payload, plain, key, exclude)
        if not targets and cluster is None:
            return 0
        packed = {encoder: encoder.pack(payload) for encoder in _encoders(targets, cluster)}
        slot, call = slot_of(self.name, plain, key) if self.delivery == "latest" else None, current_call.get()
        if cluster is not None:
            cluster.publish(self._outgoing(packed, plain, key, slot, to, exclude))
        self._publisher.submit(lambda: self._deliver(packed, targets, subscriptions, plain, slot, call))
        return sum(map(len, targets.values()))

    def _publish_retained(self, payload: Any, tags: dict[str, Tag], key: Hashable, exclude: Recipients | None) -> int:
        """Publish and retain. The recipients are determined on delivery, so that a subscriber that arrives in the
        meantime receives the value exactly once."""
        encoders = {V2_WITH_ARRAYS, *(one.session.encoder for one in self.subscriptions)}
        packed = {encoder: encoder.pack(payload) for encoder in encoders}
        slot, call = slot_of(self.name, tags, key), current_call.get()
        cluster, version = self._publisher.cluster if self.shared else None, UNVERSIONED
        if cluster is not None:
            version = cluster.publish(self._outgoing(packed, tags, key, slot, None, exclude))
        value = RetainedValue(tags, packed, version, key)

        def deliver() -> None:
            if self.retained is not None:
                self.retained.keep(slot, value)
            targets = self._targets(self.subscriptions, tags, None, exclude)
            packed = {encoder: value.packed(encoder) for encoder, _ in targets}
            waits = slot if self.delivery == "latest" else None
            self._deliver(packed, targets, self.subscriptions, tags, waits, call)

        self._publisher.submit(deliver)
        return sum(map(len, self._targets(self.subscriptions, tags, None, exclude).values()))

    def _outgoing(
        self,
        packed: Mapping[Encoder, Any],
        tags: dict[str, Tag],
        key: Hashable,
        slot: Hashable,
        to: Recipients | None,
        exclude: Recipients | None,
    ) -> Outgoing:
        return Outgoing(
            self.name, self.delivery, self.retained is not None, packed[V2_WITH_ARRAYS], tags, key, slot, to, exclude
        )

    def receive(self, value: RetainedValue, slot: Hashable, to: Recipients | None, exclude: Recipients | None) -> None:
        """Send this worker's subscribers what another worker has published. Call it on the event loop's thread."""

        def deliver() -> None:
            if self.retained is not None and to is None:
                self.retained.keep(slot, value)
            subscriptions = self.subscriptions
            targets = self._targets(subscriptions, value.tags, to, exclude)
            packed = {encoder: value.packed(encoder) for encoder, _ in targets}
            waits = slot if self.delivery == "latest" else None
            self._deliver(packed, targets, subscriptions, dict(value.tags), waits, None)

        self._publisher.submit(deliver)

    async def publish_wait(
        self,
        payload: Any,
        tags: Tags | None = None,
        *,
        key: Hashable = None,
        to: Recipients | None = None,
        exclude: Recipients | None = None,
    ) -> int:
        """Publish as soon as no more than `Limits.max_outbox` bytes are waiting for each of the recipients, so that the
        publisher is as fast as its slowest subscriber. See `publish`.

        With "latest" delivery it does not wait for room, since newer publications replace waiting ones. It always lets
        the event loop run once, so that a loop of publications does not block it even while nobody is subscribed. A
        client that accepts nothing for `Limits.stall_timeout` seconds is disconnected and no longer waited for. Await
        it in the server's event loop, or in the application's.
        """
        plain = check_tags(tags) if tags else {}
        await asyncio.sleep(0)  # otherwise a loop of publications to nobody would keep clients from connecting
        while self.delivery == "reliable":
            targets = self._targets(self.subscriptions, plain, to, exclude)
            behind = next((one for sessions in targets.values() for one in sessions if not one.has_room), None)
            if behind is None:
                break
            await self._publisher.on_loop_await(behind.room_again())
        return self.publish(payload, tags, key=key, to=to, exclude=exclude)

    def _deliver(
        self,
        packed: dict[Any, Any],
        targets: Targets,
        subscriptions: tuple[MemberT, ...],
        tags: dict[str, Tag],
        slot: Hashable,
        call: Call | None,
    ) -> None:
        if subscriptions is not self._snapshot:
            targets = self._remaining(targets)
        id_, names = f"publish:{self.name}:{next(self._numbers)}", (self.name,)
        for (encoder, ids), sessions in targets.items():
            message = encoder.publication(id_, packed[encoder], ids, self._publisher.max_frame)
            for notify in self._publisher.observers.published:
                notify(Published(self.name, tags, packed[encoder], message.size, tuple(sessions)))
            for session in sessions:
                if slot is not None and session.flow is not None and ids:
                    gates = session.flow.gates(ids)
                    label = Rendered(gates[0].quality) if gates else None
                    session.send_within(message, slot, names, gates, label, (ids, tags), self.lane)
                elif call is not None and call.client_id == session.client_id:  # in the order of its response (LANE-4)
                    session.send(message, slot, (self.name, call.id), self.lane)
                else:
                    session.send(message, slot, names, self.lane)
