"""Topics: what is published, who has subscribed to it, and fan-out that encodes once."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

from wslink.errors import UsageError
from wslink.hub.filter_index import FilterIndex, filter_size
from wslink.hub.filters import Predicate, Tag, Tags, check_tags
from wslink.hub.flow import SubscriptionFlow
from wslink.rpc.call import Call, current_call
from wslink.rpc.redefinition import add_handler
from wslink.session.view import SessionView
from wslink.wire.messages import is_topic

logger: logging.Logger = logging.getLogger("wslink")

Delivery = Literal["reliable", "latest"]
DELIVERIES = ("reliable", "latest")

Handler = Callable[["Subscription"], Awaitable[None] | None]
HandlerT = TypeVar("HandlerT", bound=Handler)

IMPLIED = 0
"""The id of the subscription to everything that a released client has of every topic (ORD-4)."""


class Subscription:
    """One client's subscription to one topic.

    Attributes:
        id: the client's number for it; 0 for the one that a released client, which cannot subscribe, has of every
            topic.
        client_id: the client's id, as `link.clientId` shows it in JavaScript.
        topic: the Topic.
        filter: the filter as the client sent it; {} for everything.
        active: false once it has ended.
    """

    def __init__(
        self, id_: int, session: SessionView, topic: Topic, definition: dict[str, Any], matches: Predicate
    ) -> None:
        self.id = id_
        self.client_id: str = session.client_id
        self.topic = topic
        self.filter = definition
        self.active = True
        self.session = session
        self.size: int = filter_size(definition)
        """What its filter counts."""
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

    def __repr__(self) -> str:
        return f"<Subscription {self.id} of {self.client_id} to {self.topic.name} {self.filter}>"


Targets = dict[tuple[Any, tuple[int, ...] | None], list[SessionView]]
"""The clients that a publication is sent to, by what they are sent: their encoder and their subscriptions that match,
None for released clients (SUB-6)."""


def _grouped(subscriptions: Iterable[Subscription]) -> Targets:
    """The clients of `subscriptions`."""
    matching: dict[SessionView, list[int]] = {}
    for subscription in subscriptions:
        matching.setdefault(subscription.session, []).append(subscription.id)
    targets: Targets = {}
    for session, ids in matching.items():
        key = session.encoder, tuple(sorted(ids)) if session.subscribing else None
        targets.setdefault(key, []).append(session)
    return targets


class Publisher(Protocol):
    """What a topic asks of its server."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...

    def handle(self, handler: Handler, subscription: Subscription) -> None:
        """Run an application's handler, sync or async."""

    def knows(self, client_id: str) -> bool:
        """Whether a client of that id is connected."""

    def submit(self, deliver: Callable[[], None]) -> None:
        """Run `deliver` in the order of publishing, on the event loop's thread."""

    @property
    def max_frame(self) -> int: ...


class Topic:
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
        self.name = name
        self.delivery: Delivery = delivery
        self.declared = False
        """Whether the server has named it; a client alone otherwise, on a server whose topics are open (SUB-7)."""
        self._publisher = publisher
        # In the order of their beginning; changed under the publisher's lock.
        self._active: dict[Subscription, None] = {}
        self._index: FilterIndex[Subscription] = FilterIndex()
        # These as a tuple that any thread may read, or None since they have changed: thousands of clients that come
        # and go together would take too long if each made a new one.
        self._snapshot: tuple[Subscription, ...] | None = ()
        self._everyone: tuple[tuple[Subscription, ...], Targets] = (), {}
        """The targets of a publication to all of these subscriptions, none of which has a filter."""
        self._numbers = itertools.count()
        self._on_subscribe: list[Handler] = []
        self._on_unsubscribe: list[Handler] = []

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Those that are active now. Safe to read from any thread."""
        snapshot = self._snapshot
        if snapshot is None:
            with self._publisher.lock:
                snapshot = self._snapshot = tuple(self._active)
        return snapshot

    def wants(self, tags: Tags | None = None) -> bool:
        """Whether anybody would be sent a publication with `tags`: what nobody wants need not be computed."""
        plain = check_tags(tags) if tags else {}
        with self._publisher.lock:
            candidates = self._index.find(plain)
        return any(subscription.matches(plain) for subscription in candidates)

    @property
    def waiting(self) -> int:
        """Bytes that wait for the subscriber for which most wait, whatever they belong to; 0 without subscribers."""
        return max((one.session.queue.waiting for one in self.subscriptions), default=0)

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

    def publish(
        self,
        payload: Any,
        tags: Tags | None = None,
        *,
        key: Hashable = None,
        to: str | None = None,
        exclude: str | None = None,
    ) -> int:
        """Send `payload` to the clients whose filter its tags match. From any thread; returns at once.

        The payload is encoded before this returns, at most once per protocol version, so it may be changed afterwards.
        Read-only buffers and arrays (`array.flags.writeable = False`) of 64 KiB or more are sent from where they are,
        without a copy, and must stay as they are.

        Args:
            payload: None, booleans, numbers, strings, bytes, bytearray, memoryview, NumPy arrays and scalars, and
                lists, tuples and maps of these.
            tags: names to strings, numbers or booleans, which filters see; they are not sent.
            key: with "latest" delivery, what the payload is a newer version of; its tags unless given.
            to: send it to this client id only.
            exclude: send it to everyone but this client id.

        Returns:
            The number of clients it is sent to; 0, and a warning in the log, if the client in `to` is not connected.

        Raises:
            UsageError: for tags that are not allowed.
            NotSerializable: naming the type that cannot be sent; nobody is sent anything then.
        """
        plain = check_tags(tags) if tags else {}
        subscriptions = self.subscriptions
        targets = self._targets(subscriptions, plain, to, exclude)
        if not targets:
            return 0
        packed = {encoder: encoder.pack(payload) for encoder in {encoder for encoder, _ in targets}}
        slot = self._slot(plain, key)
        call = current_call.get()
        self._publisher.submit(lambda: self._deliver(packed, targets, subscriptions, plain, slot, call))
        return sum(map(len, targets.values()))

    async def publish_wait(
        self,
        payload: Any,
        tags: Tags | None = None,
        *,
        key: Hashable = None,
        to: str | None = None,
        exclude: str | None = None,
    ) -> int:
        """As `publish`, once no more than `Limits.max_outbox` bytes wait for any client that is sent it: a publisher
        goes as fast as its slowest subscriber.

        With "latest" delivery it returns at once, as what waits is replaced. A client that takes nothing for
        `Limits.stall_timeout` seconds is disconnected, and waited for no longer. Call it on the event loop's thread.

        Returns, Raises:
            as `publish`.
        """
        plain = check_tags(tags) if tags else {}
        while self.delivery == "reliable":
            targets = self._targets(self.subscriptions, plain, to, exclude)
            behind = next((one for sessions in targets.values() for one in sessions if not one.has_room), None)
            if behind is None:
                break
            await behind.room_again()
        return self.publish(payload, tags, key=key, to=to, exclude=exclude)

    def _targets(
        self, subscriptions: tuple[Subscription, ...], tags: dict[str, Tag], to: str | None, exclude: str | None
    ) -> Targets:
        """Whom to send to."""
        if to is not None and not self._publisher.knows(to):
            logger.warning("topic %s: there is no client %r to publish to", self.name, to)
            return {}
        known, targets = self._everyone
        if to is None and exclude is None and known is subscriptions:
            return targets
        with self._publisher.lock:
            candidates, filtered = self._index.find(tags), len(self._index)
        targets = _grouped(
            one
            for one in candidates
            if (to is None or one.client_id == to) and one.client_id != exclude and one.matches(tags)
        )
        unchanged = subscriptions is self._snapshot  # another thread's publication may be late
        if unchanged and to is None and exclude is None and not filtered:
            self._everyone = subscriptions, targets
        return targets

    def _slot(self, tags: dict[str, Tag], key: Hashable) -> Hashable:
        """What a waiting publication is known by if a newer one may take its place (SUB-13)."""
        if self.delivery == "reliable":
            return None
        if key is None:
            return (self.name, tuple(sorted((name, isinstance(value, bool), value) for name, value in tags.items())))
        try:
            hash(key)
        except TypeError:
            raise UsageError(f"key {key!r} is not hashable: use a string, a number or a tuple of these") from None
        return (self.name, key)

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
            for session in sessions:
                if slot is not None and session.flow is not None and ids:
                    gates = session.flow.gates(ids)
                    label = gates[0].quality if gates else None
                    session.send_within(message, slot, (self.name,), gates, label, (ids, tags))
                elif call is not None and call.client_id == session.client_id:  # in the order of its response (LANE-4)
                    session.send(message, slot, (self.name, call.id))
                else:
                    session.send(message, slot, (self.name,))

    def _remaining(self, targets: Targets) -> Targets:
        """`targets` without the subscriptions that have ended since it was published (SUB-5)."""
        known = {(subscription.session, subscription.id) for subscription in self.subscriptions}
        remaining: Targets = {}
        for (encoder, ids), sessions in targets.items():
            for session in sessions:
                left = ids and tuple(id_ for id_ in ids if (session, id_) in known)
                if left or ids is None:
                    remaining.setdefault((encoder, left), []).append(session)
        return remaining

    # Called by the hub, on the event loop's thread; `add` and `remove` under its lock.

    def add(self, subscription: Subscription, replaces: Subscription | None = None) -> None:
        """Let `subscription` take effect, in place of the one it replaces."""
        if replaces is not None:
            self._active.pop(replaces, None)
            self._index.remove(replaces)
        self._active[subscription] = None
        self._index.add(subscription, subscription.filter)
        self._forget_snapshot()

    def _forget_snapshot(self) -> None:
        """The subscriptions have changed; nothing of those that have ended is kept."""
        self._snapshot = None
        self._everyone = (), {}

    def announce(self, subscription: Subscription) -> None:
        """Tell the publisher of a new subscription, unless it has ended already."""
        for handler in self._on_subscribe:
            if subscription.active:
                self._publisher.handle(handler, subscription)

    def remove(self, subscription: Subscription) -> None:
        """End `subscription`."""
        subscription.active = False
        self._active.pop(subscription, None)
        self._index.remove(subscription)
        self._forget_snapshot()

    def announce_end(self, subscription: Subscription) -> None:
        """Tell the publisher of a subscription that has ended."""
        for handler in self._on_unsubscribe:
            self._publisher.handle(handler, subscription)
