"""Topics and subscriptions to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from wslink.errors import UsageError
from wslink.hub.filters import Definition, Predicate, Tags, check_tags
from wslink.hub.flow import SubscriptionFlow
from wslink.hub.ports import Publisher
from wslink.hub.publishing import DELIVERIES, Delivery, Publishing
from wslink.hub.topic_types import TopicTypes
from wslink.rpc.redefinition import add_handler, may_replace
from wslink.session.view import SessionView
from wslink.wire.messages import is_topic

if TYPE_CHECKING:
    from wslink.hub.on_demand import OnDemand, RenderT

Handler = Callable[["Subscription"], Awaitable[None] | None]
HandlerT = TypeVar("HandlerT", bound=Handler)
T = TypeVar("T")

IMPLIED = 0
"""The id of the implied subscriptions to every topic that released clients have (ORD-4)."""


class Subscription:
    """One client's subscription to one topic.

    Attributes:
        id: the client's number for it; 0 for the one that a released client, which cannot subscribe, has of every
            topic.
        client_id: the client's id, as `link.clientId` shows it in JavaScript.
        topic: the Topic.
        active: false once it has ended.
        implied: whether the client did not name this topic: the subscription is a released client's, or a pattern's.
    """

    def __init__(
        self,
        id_: int,
        session: SessionView,
        topic: Topic,
        definition: Definition,
        matches: Predicate,
        implied: bool = False,
    ) -> None:
        self.id = id_
        self.client_id: str = session.client_id
        self.topic = topic
        self.active = True
        self.session = session
        self.implied: bool = implied
        self.flow: SubscriptionFlow | None = None
        """None for a client that acknowledges nothing."""
        self.definition: Definition = definition
        """What defines the filter, for the hub."""
        self._filter: dict[str, Any] | None = None  # once the application has asked: most are never looked at
        self._matches = matches if definition else None

    @property
    def filter(self) -> dict[str, Any]:
        """The client's filter, as authorization has restricted it; {} for everything. It is the same object each time:
        another filter makes another subscription."""
        if self._filter is None:
            self._filter = self.definition.unpack()
        return self._filter

    def matches(self, tags: Tags) -> bool:
        """Whether the filter matches a publication with `tags`."""
        return self._matches is None or self._matches(tags)

    @property
    def quality(self) -> float:
        """The quality, from 0.05 to 1, at which publications reach the page in time (docs/flow-control.md); 1 for a
        client that does not acknowledge."""
        return self.flow.controller.quality if self.flow is not None else 1.0

    @property
    def lag(self) -> float:
        """Seconds from the last publication that the page has processed until its acknowledgement; 0 while unknown."""
        return self.flow.lag if self.flow is not None else 0.0

    @property
    def rtt(self) -> float:
        """The part of `lag` since sending of that publication began, in seconds; 0 while unknown."""
        return self.flow.rtt if self.flow is not None else 0.0

    @property
    def rate(self) -> float:
        """Bytes per second that the client's line carries; 0 while unknown."""
        return self.flow.line.rate if self.flow is not None else 0.0

    @property
    def dropped(self) -> int:
        """Publications that were replaced by newer ones before they were sent, with "latest" delivery."""
        return self.flow.window.dropped if self.flow is not None else 0

    @property
    def window(self) -> int:
        """Publications that may be in flight to the page; 0 for a client that does not acknowledge."""
        return self.flow.window.size if self.flow is not None else 0

    def __repr__(self) -> str:
        return f"<Subscription {self.id} of {self.client_id} to {self.topic.name} {self.filter}>"


class Topic(Publishing[Subscription]):
    """A topic that clients may subscribe to. Created by `App.topic`.

    Attributes:
        name: dot-separated words.
        delivery: "reliable" (every publication is sent) or "latest" (only the newest of each key waits for a client).
    """

    def __init__(self, name: str, delivery: Delivery, publisher: Publisher) -> None:
        if not isinstance(name, str) or not is_topic(name):
            raise UsageError(f"topic name {name!r}: dot-separated words of letters, digits and _")
        if delivery not in DELIVERIES:
            raise UsageError(f"delivery {delivery!r}: one of {', '.join(DELIVERIES)}")
        super().__init__(name, delivery, publisher)
        self.declared = False
        """Whether the server has declared it. If not, only clients have named it, on a server with open topics
        (SUB-7)."""
        self._on_subscribe: list[Handler] = []
        self._on_unsubscribe: list[Handler] = []
        self._demand: OnDemand | None = None
        self.types: TopicTypes | None = None

    def on_subscribe(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(subscription)`, sync or async, when a client has subscribed or replaced its
        filter."""
        add_handler(self._on_subscribe, handler)
        return handler

    def on_unsubscribe(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(subscription)`, sync or async, when a subscription has ended: the client cancelled
        it, or has gone."""
        add_handler(self._on_unsubscribe, handler)
        return handler

    @overload
    def on_demand(self, function: RenderT) -> RenderT: ...

    @overload
    def on_demand(self, function: None = None, *, share: bool = False) -> Callable[[RenderT], RenderT]: ...

    def on_demand(self, function: RenderT | None = None, *, share: bool = False) -> Any:
        """Decorator: render for each subscriber with `function(viewer)`, sync or async. It is called when the
        subscriber can accept a publication and something has changed since its last one. Its result is sent, unless it
        is None.

        See Viewer, and docs/flow-control.md. One call at a time runs for each subscriber. 200 ms after the last change
        there is one more, with `viewer.still`. Exceptions are logged, and nothing is sent.

        Args:
            share: call it once for all subscribers with the same filter and a quality in the same tenth.

        Raises:
            UsageError: the topic's delivery is not "latest", or it has a function already (except in a notebook).
        """
        from wslink.hub.on_demand import OnDemand

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
        """Notify on-demand rendering of a change, for everyone or for the subscribers whose filters match `tags`. May
        be called from any thread; returns immediately. Raises UsageError for tags that are not allowed."""
        demand, plain = self._demand, check_tags(tags) if tags else None
        if demand is not None:
            self._publisher.submit(lambda: demand.changed(plain))

    # Called by the hub, on the event loop's thread; `add` and `remove` under its lock.

    def announce(self, subscription: Subscription, before: Subscription | None = None) -> None:
        """Send a new subscription what is retained, and notify the publisher, unless it has ended already.

        Args:
            before: the subscription with another filter that it replaces.
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
        """Notify the publisher of a subscription that has ended."""
        if self._demand is not None:
            self._demand.leave(subscription)
        for handler in self._on_unsubscribe:
            self._publisher.announce(handler, subscription)
