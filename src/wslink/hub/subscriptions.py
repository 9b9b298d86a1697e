"""The topics of one server, and the subscriptions to them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wslink.errors import InvalidParams, LimitExceeded, NotAuthorized, PeerError
from wslink.hub.authorization import Authorization, Narrowed
from wslink.hub.filters import Predicate, define, everything
from wslink.hub.flow import SubscriptionFlow
from wslink.hub.ports import Publisher
from wslink.hub.requested import Held, SubscriptionRequest, parse_request, subscription_id
from wslink.hub.subscription_sizes import SubscriptionSizes
from wslink.hub.topic_registry import TopicRegistry
from wslink.hub.topics import IMPLIED, Subscription, Topic
from wslink.session.view import SessionView
from wslink.session.window import Settled
from wslink.wire.limits import Limits
from wslink.wire.messages import is_topic
from wslink.wire.show import shown

logger: logging.Logger = logging.getLogger("wslink")


class Subscriptions(TopicRegistry):
    """The subscriptions of all clients (session.features.subscribe.Subscribable).

    Args:
        publisher, open_topics: see TopicRegistry.
        limits: see Limits (LIM-7).
        authorization: decides what each client may receive.
    """

    def __init__(self, publisher: Publisher, limits: Limits, open_topics: bool, authorization: Authorization) -> None:
        super().__init__(publisher, open_topics)
        self.limits = limits
        self._authorization = authorization
        # By the client's number. The implied subscriptions of released clients are keyed by topic name.
        self._of: dict[SessionView, dict[int | str, Held]] = {}
        self._sizes = SubscriptionSizes()

    def __contains__(self, session: object) -> bool:
        return session in self._of

    def join(self, session: SessionView) -> None:
        """A client has connected. A released one is subscribed to every topic."""
        self._of[session] = {}
        if not session.subscribing:
            for topic in self.topics.values():
                if topic.declared:
                    self._imply(session, topic)

    def announce(self, session: SessionView) -> None:
        """Notify publishers of the implied subscriptions of a released client."""
        for held in list(self._of.get(session, {}).values()):  # a handler may end the session
            for subscription in list(held.parts.values()):
                subscription.topic.announce(subscription)

    def leave(self, session: SessionView) -> list[Subscription]:
        """A client has gone. Returns its subscriptions, which have still to be ended."""
        self._sizes.leave(session)
        return [part for held in self._of.pop(session).values() for part in held.parts.values()]

    def subscribe(self, session: SessionView, request: Mapping[str, Any]) -> Callable[[], None]:
        asked = parse_request(request, self.limits)
        mine = self._of[session]
        old = mine.get(asked.id)
        self._check(asked, old, mine)
        if self._publisher.unannounced(session) > self.limits.max_subscriptions:
            most = self.limits.max_subscriptions
            raise LimitExceeded(f"over max_subscriptions ({most}) subscriptions wait for the application")
        with self._lock:
            topics = self._topics_of(session, asked)
            weight = self._sizes.replace(session, old, asked.size, len(topics), self.limits)
            new = mine[asked.id] = Held(asked, old.flow if old is not None else self._flow(session, asked), weight)
            before = old.parts if old is not None else {}
            begun = [(self._begin(session, new, *one, before.get(one[0].name)), one[0].name) for one in topics]
        for name in before.keys() - new.parts.keys():  # the application's authorization has changed
            self.end(before[name])

        def announce() -> None:
            for part, name in begun:
                part.topic.announce(part, before.get(name))

        return announce

    def requests(self, session: SessionView) -> list[dict[str, Any]]:
        """A client's requests, as `subscribe` accepts them."""
        return [held.asked.request for held in self._of.get(session, {}).values()]

    def restore(self, session: SessionView, requests: Iterable[Mapping[str, Any]]) -> Callable[[], None]:
        """Restore the subscriptions of a session from another worker, which has been sent what is retained. Returns a
        function to call afterwards. Subscriptions that are not allowed here end."""
        for request in requests:
            self._restore(session, request)

        def announce() -> None:
            for held in list(self._of.get(session, {}).values()):
                for part in list(held.parts.values()):
                    part.topic.announce(part, part)

        return announce

    def _restore(self, session: SessionView, request: Mapping[str, Any]) -> None:
        try:
            self.subscribe(session, request)
        except PeerError as error:
            logger.warning("client %s loses a subscription: %s", session.client_id, error.message)

    def _check(self, asked: SubscriptionRequest, old: Held | None, mine: Mapping[int | str, Held]) -> None:
        """Check whether a client may have one more subscription, or replace its filter."""
        limits = self.limits
        if old is not None and old.topic != asked.topic:
            topics = f"{old.topic!r}, and cannot change to {shown(asked.topic)}"
            raise InvalidParams(f"subscription {asked.id} is to topic {topics}")
        if old is None and len(mine) >= limits.max_subscriptions:
            raise LimitExceeded(f"over max_subscriptions ({limits.max_subscriptions}) subscriptions")
        if old is None and asked.covers is not None:
            patterns = sum(held.covers is not None for held in mine.values())
            if patterns >= limits.max_patterns:
                raise LimitExceeded(f"over max_patterns ({limits.max_patterns}) subscriptions to patterns")

    def _topics_of(self, session: SessionView, asked: SubscriptionRequest) -> list[tuple[Topic, Narrowed]]:
        """The topics that a request covers, each with what the client may receive of it."""
        if asked.covers is not None:
            known = [topic for name, topic in self.topics.items() if topic.declared and asked.covers(name)]
            found = [(topic, self._allowed(session, asked, topic.name)) for topic in known]
            return [(topic, allowed) for topic, allowed in found if allowed is not None]
        allowed = self._allowed(session, asked, asked.topic) if isinstance(asked.topic, str) else None
        if allowed is None and isinstance(asked.topic, str):
            raise NotAuthorized("Not authorized", asked.topic)
        topic = self._find_topic(asked.topic)
        return [(topic, allowed)] if allowed is not None else []

    def _allowed(self, session: SessionView, asked: SubscriptionRequest, topic: str) -> Narrowed | None:
        """Restrict a client's filter by its authorization; None if it may not subscribe (AUTH-2, AUTH-3)."""
        own = Narrowed(asked.filter, asked.matches)
        if not self._authorization.active or session.client is None:
            return own
        allowed = self._authorization.narrow(session.client, topic)
        return own.within(*allowed) if allowed is not None else None

    def _flow(self, session: SessionView, asked: SubscriptionRequest) -> SubscriptionFlow | None:
        if session.flow is None or asked.covers is not None:  # a pattern's publications may have no window
            return None
        return SubscriptionFlow(session.flow, session.flow.open_window(asked.id, asked.window, asked.max_rate))

    def _begin(
        self, session: SessionView, held: Held, topic: Topic, allowed: Narrowed, old: Subscription | None
    ) -> Subscription:
        """Activate one topic's part of a subscription. Call it with the lock held."""
        self.topics.setdefault(topic.name, topic)
        new = Subscription(held.id, session, topic, allowed.definition, allowed.matches, held.covers is not None)
        new.flow = held.flow
        held.parts[topic.name] = new
        if old is not None:
            old.active = False
            _withdraw(session, topic.name, held.id, allowed.matches)
        topic.add(new, replaces=old)
        return new

    def unsubscribe(self, session: SessionView, id_: Any) -> str:
        held = self._of[session].pop(subscription_id(id_), None)
        if held is None:
            raise InvalidParams(f"there is no subscription {id_}")
        with self._lock:
            self._sizes.remove(session, held)
        for part in list(held.parts.values()):
            self.end(part)
        if session.flow is not None:
            session.flow.close_window(held.id)
        return str(held.topic)

    def observe(self, session: SessionView, id_: int, settled: Settled) -> None:
        """A client has handled a publication (FLOW-5)."""
        held = self._of.get(session, {}).get(id_)
        if held is not None and held.flow is not None:
            held.flow.observe(settled)
            for notify in self._publisher.observers.acknowledged:
                notify(session, str(held.topic), settled)

    def delivery(self, topic: str) -> str:
        return self.topics[topic].delivery if topic in self.topics else "mixed"

    def end(self, subscription: Subscription) -> None:
        """End a subscription. Its topic ends, too, if only subscribers ever named it."""
        topic, session = subscription.topic, subscription.session
        if session.flow is not None:
            _withdraw(session, topic.name, subscription.id, lambda tags: False)
            if not subscription.implied:
                session.flow.close_window(subscription.id)
        with self._lock:
            topic.remove(subscription)
            if not topic.declared and not topic.subscriptions:
                self.topics.pop(topic.name, None)
        topic.announce_end(subscription)

    def _declared(self, topic: Topic) -> None:
        # Not earlier: clients may name any number of topics, on which nothing is published.
        for session in self._of:
            if not session.subscribing:
                self._imply(session, topic)
            else:
                self._extend(session, topic)

    def _imply(self, session: SessionView, topic: Topic) -> None:
        """Subscribe a released client, which cannot do so itself, to a topic as far as it is authorized (ORD-4)."""
        asked = SubscriptionRequest(IMPLIED, topic.name, define(None), everything, None)
        allowed = self._allowed(session, asked, topic.name)
        if allowed is not None:
            held = self._of[session][topic.name] = Held(asked, None)
            held.parts[topic.name] = part = Subscription(
                IMPLIED, session, topic, allowed.definition, allowed.matches, True
            )
            topic.add(part)

    def _extend(self, session: SessionView, topic: Topic) -> None:
        """Subscribe a client to a new topic that matches its patterns (SUB-19)."""
        for held in self._of[session].values():
            if held.covers is not None and held.covers(topic.name):
                allowed = self._allowed(session, held.asked, topic.name)
                if allowed is not None:
                    part = self._begin(session, held, topic, allowed, None)
                    self._sizes.extend(session, held)
                    self._publisher.submit(functools.partial(topic.announce, part))

    def _find_topic(self, name: Any) -> Topic:
        if isinstance(name, str) and name in self.topics:
            return self.topics[name]
        if self.open_topics and isinstance(name, str) and is_topic(name):
            most = self.limits.max_filter_text
            if len(name) > most:
                raise InvalidParams(f"the name of an undeclared topic is over max_filter_text ({most}) characters")
            return Topic(name, "reliable", self._publisher)  # which stays once something is subscribed to it
        known = ", ".join(sorted(self.topics)[:20]) or "none"
        told = "" if self._authorization.active else f"; topics: {known}"  # the client may not be allowed to know them
        raise InvalidParams(f"there is no topic {shown(name)}{told}")


def _withdraw(session: SessionView, topic: str, id_: int, matches: Predicate) -> None:
    """Drop waiting publications that are only for this subscription and no longer match. Only for clients with
    `flow`."""
    if session.flow is not None:
        alone = (id_,)
        session.queue.withdraw(
            topic, lambda about: isinstance(about, tuple) and about[0] == alone and not matches(about[1])
        )
