"""The topics of one server, and who has subscribed to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from wslink.errors import InvalidParams, LimitExceeded, UsageError
from wslink.hub.filter_index import filter_size
from wslink.hub.filters import Predicate, compile_filter
from wslink.hub.flow import SubscriptionFlow
from wslink.hub.latest import key_in
from wslink.hub.topic_types import TopicTypes
from wslink.hub.topics import IMPLIED, Delivery, Publisher, Subscription, Topic
from wslink.rpc.priority import Priority, lane_of
from wslink.session.view import SessionView
from wslink.session.window import Settled
from wslink.wire.limits import Limits
from wslink.wire.messages import is_topic
from wslink.wire.show import shown

logger: logging.Logger = logging.getLogger("wslink")

MAX_CHOSEN_WINDOW = 1024
LEAST_RATE = 0.001
"""What a client may choose (FLOW-6)."""


class Subscriptions:
    """The subscriptions of every client (session.features.subscribe.Subscribable).

    Args:
        publisher: what topics ask of their server.
        limits: see Limits (LIM-7).
        open_topics: whether clients may subscribe to any topic, for applications that publish without declaring
            (SUB-7).
    """

    def __init__(self, publisher: Publisher, limits: Limits, open_topics: bool) -> None:
        self.limits = limits
        self.open_topics: bool = open_topics
        self.topics: dict[str, Topic] = {}
        self.revision: int = 0
        """Counts the topics that were declared, and what they declare."""
        self._checks_types = False
        self._latest: dict[str, str] = {}
        self._publisher = publisher
        self._lock = publisher.lock
        # By the client's number; those that a released client has by implication, by the topic's name.
        self._of: dict[SessionView, dict[int | str, Subscription]] = {}
        self._sizes: dict[SessionView, int] = {}
        """What their filters count (LIM-7, `max_filter_size`)."""

    def allow_any_topic(self) -> None:
        """Let clients subscribe to topics that nobody declared (SUB-7)."""
        self.open_topics = True

    def check_types(self, on: bool) -> None:
        """Check what is published against what its topic declares, or no longer: in debug mode."""
        with self._lock:
            self._checks_types = on
            for topic in self.topics.values():
                topic.check = topic.types.check if on and topic.types is not None else None

    def deliver_latest(self, topics: Mapping[str, str]) -> None:
        """Let only the newest publication of these topics wait, per value of an entry of the payload where one is
        named, unless the application has made them otherwise."""
        for name, entry in topics.items():
            known = self.topics.get(name)
            if known is not None and known.declared and known.delivery != "latest":
                logger.warning("latest: topic %s was made with delivery %r, which counts", name, known.delivery)
                continue
            self.topic(name, "latest")
            self._latest[name] = entry

    def publish(self, topic: str, payload: Any, to: str | None, exclude: str | None) -> int:
        """Publish on a topic of any delivery, made if there is none; see Topic.publish."""
        entry = self._latest.get(topic) if self._latest else None
        key = key_in(payload, entry) if entry else None
        return self.open_topic(topic).publish(payload, key=key, to=to, exclude=exclude)

    def __contains__(self, session: object) -> bool:
        return session in self._of

    def join(self, session: SessionView) -> None:
        """A client has come. A released one is subscribed to every topic."""
        self._of[session] = {}
        self._sizes[session] = 0
        if not session.subscribing:
            for topic in self.topics.values():
                self._imply(session, topic)

    def announce(self, session: SessionView) -> None:
        """Tell publishers of the subscriptions that a released client has from the start."""
        for subscription in list(self._of.get(session, {}).values()):  # a handler may end the session
            subscription.topic.announce(subscription)

    def leave(self, session: SessionView) -> list[Subscription]:
        """A client has gone: its subscriptions, still to be ended."""
        del self._sizes[session]
        return list(self._of.pop(session).values())

    def subscribe(self, session: SessionView, request: Mapping[str, Any]) -> Callable[[], None]:
        topic, definition = request.get("topic"), request.get("filter")
        id_ = _subscription_id(request.get("subscription"))
        window, max_rate = _window(request.get("window")), _max_rate(request.get("max_rate"))
        size = filter_size(definition) if isinstance(definition, Mapping) else 0
        if size > self.limits.max_filter_size:  # before it costs what a filter costs
            raise InvalidParams(f"a filter is over max_filter_size ({self.limits.max_filter_size})")
        matches = compile_filter(definition, self.limits)
        mine = self._of[session]
        old = mine.get(id_)
        if old is not None and old.topic.name != topic:
            topics = f"{old.topic.name!r}, and cannot change to {shown(topic)}"
            raise InvalidParams(f"subscription {id_} is to topic {topics}")
        if old is None and len(mine) >= self.limits.max_subscriptions:
            raise LimitExceeded(f"over max_subscriptions ({self.limits.max_subscriptions}) subscriptions")
        with self._lock:
            found = self._find_topic(topic)
            held = self._sizes[session] + size - (old.size if old is not None else 0)
            if held > self.limits.max_filter_size:
                raise LimitExceeded(f"over max_filter_size ({self.limits.max_filter_size}) in the filters of a client")
            self._sizes[session] = held
            mine[id_] = new = Subscription(id_, session, found, dict(definition or {}), matches)
            if old is not None:
                old.active = False
                new.flow = old.flow
                _withdraw(session, found.name, id_, matches)
            elif session.flow is not None:
                new.flow = SubscriptionFlow(session.flow, session.flow.open_window(id_, window, max_rate))
            found.add(new, replaces=old)
        return lambda: found.announce(new, old)

    def unsubscribe(self, session: SessionView, id_: Any) -> str:
        subscription = self._of[session].pop(_subscription_id(id_), None)
        if subscription is None:
            raise InvalidParams(f"there is no subscription {id_}")
        self._sizes[session] -= subscription.size
        self.end(subscription)
        return subscription.topic.name

    def observe(self, session: SessionView, id_: int, settled: Settled) -> None:
        """A client has dealt with a publication (FLOW-5)."""
        subscription = self._of.get(session, {}).get(id_)
        if subscription is not None and subscription.flow is not None:
            subscription.flow.observe(settled)

    def delivery(self, topic: str) -> str:
        return self.topics[topic].delivery

    def end(self, subscription: Subscription) -> None:
        """End a subscription, and its topic if nobody but subscribers ever named it."""
        topic = subscription.topic
        if subscription.session.flow is not None:
            _withdraw(subscription.session, topic.name, subscription.id, lambda tags: False)
            subscription.session.flow.close_window(subscription.id)
        with self._lock:
            topic.remove(subscription)
            if not topic.declared and all(other.id == IMPLIED for other in topic.subscriptions):
                for other in topic.subscriptions:
                    self._of[other.session].pop(topic.name, None)
                self.topics.pop(topic.name, None)
        topic.announce_end(subscription)

    def topic(
        self,
        name: str,
        delivery: Delivery = "reliable",
        retain: bool | None = None,
        priority: Priority | None = None,
        types: TopicTypes | None = None,
    ) -> Topic:
        """The topic `name`, made if there is none. From any thread.

        Args:
            retain, priority, types: see App.topic; None where nothing is said of it.

        Raises:
            UsageError: if it exists with another delivery, or what is given otherwise.
        """
        lane = lane_of(f"topic {name!r}", priority)
        with self._lock:
            topic = self._make_topic(name, delivery)
            if not topic.declared:
                topic.declared, topic.delivery, topic.lane = True, delivery, lane
                self.revision += 1
                if retain:
                    topic.retain()
            if types is not None and topic.types is None:
                topic.types, topic.check = types, types.check if self._checks_types else None
                self.revision += 1
        if topic.delivery != delivery:
            raise UsageError(f"topic {name!r} exists with delivery {topic.delivery!r}")
        if retain is not None and retain != (topic.retained is not None):
            raise UsageError(f"topic {name!r} exists with retain={topic.retained is not None}")
        if lane is not None and lane != topic.lane:
            raise UsageError(f"topic {name!r} exists with another priority than {priority!r}")
        if types is not None and types != topic.types:
            raise UsageError(f"topic {name!r} exists with another payload, tags or doc")
        return topic

    def open_topic(self, name: str) -> Topic:
        """The topic `name`, of any delivery, made if there is none. From any thread."""
        topic = self.topics.get(name)
        if topic is not None and topic.declared:
            return topic
        return self.topic(name)

    def _make_topic(self, name: str, delivery: Delivery) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, delivery, self._publisher)
            for session in self._of:
                if not session.subscribing:
                    self._imply(session, topic)
        return topic

    def _imply(self, session: SessionView, topic: Topic) -> None:
        """Subscribe a released client, which cannot do so itself, to all of a topic (ORD-4)."""
        subscription = Subscription(IMPLIED, session, topic, {}, lambda tags: True)
        self._of[session][topic.name] = subscription
        topic.add(subscription)

    def _find_topic(self, name: Any) -> Topic:
        if isinstance(name, str) and name in self.topics:
            return self.topics[name]
        if self.open_topics and isinstance(name, str) and is_topic(name):
            return self._make_topic(name, "reliable")
        known = ", ".join(sorted(self.topics)[:20]) or "none"
        raise InvalidParams(f"there is no topic {shown(name)}; topics: {known}")


def _withdraw(session: SessionView, topic: str, id_: int, matches: Predicate) -> None:
    """Take back what waits for one subscription of a client with `flow` alone and does not match any more."""
    if session.flow is not None:
        alone = (id_,)
        session.queue.withdraw(
            topic, lambda about: isinstance(about, tuple) and about[0] == alone and not matches(about[1])
        )


def _subscription_id(id_: Any) -> int:
    if type(id_) is not int or not 0 < id_ < 2**32:
        raise InvalidParams(f"a subscription's id must be an integer from 1 to 2^32-1, not {shown(id_)}")
    return id_


def _window(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 < value <= MAX_CHOSEN_WINDOW):
        return value
    raise InvalidParams(f"window must be an integer from 1 to {MAX_CHOSEN_WINDOW}, not {value!r:.40}")


def _max_rate(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) in (int, float) and LEAST_RATE <= value <= 1000:
        return float(value)
    allowed = f"a number from {LEAST_RATE} to 1000 (publications per second)"
    raise InvalidParams(f"max_rate must be {allowed}, not {value!r:.40}")
