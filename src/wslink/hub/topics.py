"""Topics: what is published, who has subscribed to it, and fan-out that encodes once."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, overload

from wslink.errors import UsageError
from wslink.hub.audience import Audience, Targets
from wslink.hub.filters import Predicate, Tag, Tags, check_tags
from wslink.hub.flow import SubscriptionFlow
from wslink.hub.on_demand import OnDemand, RenderT
from wslink.hub.ports import Publisher
from wslink.hub.quality import Rendered
from wslink.hub.recipients import Recipients
from wslink.hub.retained import Retained, RetainedValue
from wslink.hub.topic_types import TopicTypes
from wslink.rpc.call import Call, current_call
from wslink.rpc.redefinition import add_handler, may_replace
from wslink.session.observers import Published
from wslink.session.view import SessionView
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.messages import is_topic

Delivery = Literal["reliable", "latest"]
DELIVERIES = ("reliable", "latest")

Handler = Callable[["Subscription"], Awaitable[None] | None]
Check = Callable[[Any, "Tags | None"], None]
"""Raises UsageError for a payload and tags that are not as a topic declares."""
HandlerT = TypeVar("HandlerT", bound=Handler)
T = TypeVar("T")

IMPLIED = 0
"""The id of the subscription to everything that a released client has of every topic (ORD-4)."""


class Subscription:
    """One client's subscription to one topic.

    Attributes:
        id: the client's number for it; 0 for the one that a released client, which cannot subscribe, has of every
            topic.
        client_id: the client's id, as `link.clientId` shows it in JavaScript.
        topic: the Topic.
        filter: the filter as the client sent it, together with what authorization made of it; {} for everything.
        active: false once it has ended.
        implied: whether it is no wish for this topic in particular: a released client's, or a pattern's.
    """

    def __init__(
        self,
        id_: int,
        session: SessionView,
        topic: Topic,
        definition: dict[str, Any],
        matches: Predicate,
        implied: bool = False,
    ) -> None:
        self.id = id_
        self.client_id: str = session.client_id
        self.topic = topic
        self.filter = definition
        self.active = True
        self.session = session
        self.implied: bool = implied
        self.flow: SubscriptionFlow | None = None
        """None for a client that acknowledges nothing."""
        self._matches = matches if definition else None

    def matches(self, tags: Tags) -> bool:
        """Whether a publication with `tags` is sent to it."""
        return self._matches is None or self._matches(tags)

    @property
    def quality(self) -> float:
        """The quality to publish at, from 0.05 to 1, so that publications reach the page in time
        (docs/flow-control.md); 1 for a client that acknowledges nothing."""
        return self.flow.controller.quality if self.flow is not None else 1.0

    @property
    def lag(self) -> float:
        """Seconds from the publishing of what the page has dealt with last until that was known here; 0 while
        unknown."""
        return self.flow.lag if self.flow is not None else 0.0

    @property
    def rtt(self) -> float:
        """Seconds of `lag` that passed since it began to be sent; 0 while unknown."""
        return self.flow.rtt if self.flow is not None else 0.0

    @property
    def rate(self) -> float:
        """Bytes per second that the client's line carries; 0 while unknown."""
        return self.flow.line.rate if self.flow is not None else 0.0

    @property
    def dropped(self) -> int:
        """Publications that a newer one replaced before they were sent, with "latest" delivery."""
        return self.flow.window.dropped if self.flow is not None else 0

    @property
    def window(self) -> int:
        """Publications that may be on their way to its page; 0 for a client that acknowledges nothing."""
        return self.flow.window.size if self.flow is not None else 0

    def __repr__(self) -> str:
        return f"<Subscription {self.id} of {self.client_id} to {self.topic.name} {self.filter}>"


def slot_of(topic: str, tags: Mapping[str, Tag], key: Hashable) -> Hashable:
    """What a publication is a newer version of (SUB-13). Raises UsageError for a key that is not hashable."""
    if key is None:
        return (topic, tuple(sorted((name, isinstance(value, bool), value) for name, value in tags.items())))
    try:
        hash(key)
    except TypeError:
        raise UsageError(f"key {key!r} is not hashable: use a string, a number or a tuple of these") from None
    return (topic, key)


class Topic(Audience[Subscription]):
    """A topic that clients may subscribe to. Made by `App.topic`.

    Attributes:
        name: dot-separated words.
        delivery: "reliable" (every publication waits its turn) or "latest" (per client, only the newest of each key
            waits).
    """

    def __init__(self, name: str, delivery: Delivery, publisher: Publisher) -> None:
        if not is_topic(name):
            raise UsageError(f"topic name {name!r}: dot-separated words of letters, digits and _")
        if delivery not in DELIVERIES:
            raise UsageError(f"delivery {delivery!r}: one of {', '.join(DELIVERIES)}")
        super().__init__(name, publisher)
        self.delivery: Delivery = delivery
        self.declared = False
        """Whether the server has named it; a client alone otherwise, on a server whose topics are open (SUB-7)."""
        self._publisher = publisher
        self._numbers = itertools.count()
        self._on_subscribe: list[Handler] = []
        self._on_unsubscribe: list[Handler] = []
        self._demand: OnDemand | None = None
        self.retained: Retained | None = None
        """The newest values, where a new subscriber is sent them (SUB-14)."""
        self.lane: int | None = None
        """The lane that its publications wait in; None where their size decides (LANE-2)."""
        self.types: TopicTypes | None = None
        self.check: Check | None = None  # in debug mode

    def retain(self) -> None:
        """Keep the newest value of each key from now on."""
        self.retained = Retained(lambda: self._publisher.max_retained)

    def on_subscribe(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(subscription)`, sync or async, when a client has subscribed or has replaced its
        filter."""
        add_handler(self._on_subscribe, handler)
        return handler

    def on_unsubscribe(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(subscription)`, sync or async, when a subscription has ended, by the client's
        wish or with its connection."""
        add_handler(self._on_unsubscribe, handler)
        return handler

    @overload
    def on_demand(self, function: RenderT) -> RenderT: ...

    @overload
    def on_demand(self, function: None = None, *, share: bool = False) -> Callable[[RenderT], RenderT]: ...

    def on_demand(self, function: RenderT | None = None, *, share: bool = False) -> Any:
        """Decorator: call `function(viewer)`, sync or async, when a subscriber can take a publication and something
        has changed since its last one, and send it what that returns; None sends nothing.

        See Viewer, and docs/flow-control.md. One call at a time runs for each subscriber. 200 ms after the last change
        there is one more, with `viewer.still`. What it raises is logged, and sends nothing.

        Args:
            share: call it once for the subscribers with the same filter whose quality is in the same tenth.

        Raises:
            UsageError: for a topic whose delivery is not "latest", and for a second function, except in a notebook.
        """

        def decorate(chosen: RenderT) -> RenderT:
            if self.delivery != "latest":
                raise UsageError(f'topic {self.name!r}: on_demand needs delivery="latest"')
            if self._demand is not None and not may_replace(chosen):
                raise UsageError(f"topic {self.name!r} is rendered on demand already, by {self._demand.function!r}")
            before, self._demand = self._demand, OnDemand(self, chosen, self._publisher, share)
            self._publisher.submit(partial(self._demand.begin, before))
            return chosen

        return decorate if function is None else decorate(function)

    def changed(self, tags: Tags | None = None) -> None:
        """What is rendered on demand has changed: for everyone, or for the subscribers whose filter `tags` match.
        From any thread; returns at once. Raises UsageError for tags that are not allowed."""
        demand, plain = self._demand, check_tags(tags) if tags else None
        if demand is not None:
            self._publisher.submit(lambda: demand.changed(plain))

    def deliver_to(
        self,
        subscription: Subscription,
        packed: Any,
        label: Rendered | None,
        slot: Hashable = None,
        tags: Tags | None = None,
    ) -> None:
        """Send one subscription what was encoded for its session. On the event loop's thread.

        Args:
            label: what it was rendered at; None for what says nothing of the quality that fits.
            slot, tags: see `_slot` and `publish`.
        """
        session = subscription.session
        ids = (subscription.id,) if session.subscribing else None
        id_ = f"publish:{self.name}:{next(self._numbers)}"
        message = session.encoder.publication(id_, packed, ids, self._publisher.max_frame)
        for notify in self._publisher.observers.published:
            notify(Published(self.name, tags or {}, packed, message.size, (session,)))
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
        """Send `payload` to the clients whose filter its tags match. From any thread; returns at once.

        The payload is encoded before this returns, at most once per protocol version, so it may be changed afterwards.
        Read-only buffers and arrays (`array.flags.writeable = False`) of 64 KiB or more are sent from where they are,
        without a copy, and must stay as they are.

        Args:
            payload: what can be sent (docs/python.md).
            tags: names to strings, numbers or booleans, which filters see; they are not sent.
            key: with "latest" delivery, what the payload is a newer version of; its tags unless given.
            to, exclude: send it to this client only, or to everyone but this one: a client's id, a Client or a Group.

        Returns: the number of clients it is sent to; 0, and a warning, if the client in `to` is not connected.

        Raises:
            UsageError: for tags that are not allowed; in debug mode also for what is not as the topic declares.
            NotSerializable: naming the type that cannot be sent; nobody is sent anything then.
        """
        plain = check_tags(tags) if tags else {}
        if self.check is not None:
            self.check(payload, plain)
        subscriptions = self.subscriptions
        targets = self._targets(subscriptions, plain, to, exclude)
        if self.retained is not None and to is None:
            return self._publish_retained(payload, plain, key, exclude)
        if not targets:
            return 0
        packed = {encoder: encoder.pack(payload) for encoder in {encoder for encoder, _ in targets}}
        slot, call = slot_of(self.name, plain, key) if self.delivery == "latest" else None, current_call.get()
        self._publisher.submit(lambda: self._deliver(packed, targets, subscriptions, plain, slot, call))
        return sum(map(len, targets.values()))

    def _publish_retained(self, payload: Any, tags: dict[str, Tag], key: Hashable, exclude: Recipients | None) -> int:
        """Publish and keep. Who is sent it is found out when it is delivered, so that a subscriber that comes meanwhile
        gets it once, one way or the other."""
        encoders = {V2_WITH_ARRAYS, *(one.session.encoder for one in self.subscriptions)}
        value = RetainedValue(tags, {encoder: encoder.pack(payload) for encoder in encoders})
        slot, call = slot_of(self.name, tags, key), current_call.get()

        def deliver() -> None:
            if self.retained is not None:
                self.retained.keep(slot, value)
            targets = self._targets(self.subscriptions, tags, None, exclude)
            packed = {encoder: value.packed(encoder) for encoder, _ in targets}
            waits = slot if self.delivery == "latest" else None
            self._deliver(packed, targets, self.subscriptions, tags, waits, call)

        self._publisher.submit(deliver)
        return sum(map(len, self._targets(self.subscriptions, tags, None, exclude).values()))

    async def publish_wait(
        self,
        payload: Any,
        tags: Tags | None = None,
        *,
        key: Hashable = None,
        to: Recipients | None = None,
        exclude: Recipients | None = None,
    ) -> int:
        """As `publish`, once no more than `Limits.max_outbox` bytes wait for any client that is sent it: a publisher
        goes as fast as its slowest subscriber.

        With "latest" delivery it returns at once, as what waits is replaced. A client that takes nothing for
        `Limits.stall_timeout` seconds is disconnected, and waited for no longer. In an event loop of the server's.

        Returns, Raises:
            as `publish`.
        """
        plain = check_tags(tags) if tags else {}
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
        subscriptions: tuple[Subscription, ...],
        tags: dict[str, Tag],
        slot: Hashable,
        call: Call | None,
    ) -> None:
        if subscriptions is not self._snapshot:
            targets = self._remaining(targets)
        id_ = f"publish:{self.name}:{next(self._numbers)}"
        for (encoder, ids), sessions in targets.items():
            message = encoder.publication(id_, packed[encoder], ids, self._publisher.max_frame)
            for notify in self._publisher.observers.published:
                notify(Published(self.name, tags, packed[encoder], message.size, tuple(sessions)))
            for session in sessions:
                if slot is not None and session.flow is not None and ids:
                    gates = session.flow.gates(ids)
                    label = Rendered(gates[0].quality) if gates else None
                    session.send_within(message, slot, (self.name,), gates, label, (ids, tags), self.lane)
                elif call is not None and call.client_id == session.client_id:  # in the order of its response (LANE-4)
                    session.send(message, slot, (self.name, call.id), self.lane)
                else:
                    session.send(message, slot, (self.name,), self.lane)

    # Called by the hub, on the event loop's thread; `add` and `remove` under its lock.

    def announce(self, subscription: Subscription, before: Subscription | None = None) -> None:
        """Send a new subscription what is retained, and tell the publisher of it, unless it has ended already.

        Args:
            before: the one of another filter that it takes the place of.
        """
        for slot, value in self.retained.new_to(subscription, before) if self.retained is not None else ():
            if subscription.active:
                packed = value.packed(subscription.session.encoder)
                waits = slot if self.delivery == "latest" else None
                self.deliver_to(subscription, packed, None, waits, value.tags)
        for handler in self._on_subscribe:
            if subscription.active:
                self._publisher.announce(handler, subscription)
        if self._demand is not None and subscription.active:
            self._demand.join(subscription)

    def announce_end(self, subscription: Subscription) -> None:
        """Tell the publisher of a subscription that has ended."""
        if self._demand is not None:
            self._demand.leave(subscription)
        for handler in self._on_unsubscribe:
            self._publisher.announce(handler, subscription)
