"""Explicit subscriptions with filters (SUB)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Protocol

from wslink.errors import InvalidParams
from wslink.session.features import Feature, Handler
from wslink.session.view import SessionView
from wslink.wire.messages import SUBSCRIBE, SUBSCRIPTIONS, UNSUBSCRIBE, Request, is_topic


class Subscribable(Protocol):
    """The registry of subscriptions."""

    def subscribe(self, session: SessionView, request: Mapping[str, Any]) -> Callable[[], None]:
        """Add or change the subscription that `request` describes (SUB-2, FLOW-6). Returns a function to call once the
        client has been notified. Raises PeerError."""

    def unsubscribe(self, session: SessionView, id_: Any) -> str:
        """End a subscription, and return its topic or pattern. Raises PeerError."""

    def delivery(self, topic: str) -> str:
        """The delivery of a topic, "reliable" or "latest"; "mixed" for a pattern."""


class Subscribe(Feature):
    """Lets clients subscribe to topics, with a number and a filter for each subscription."""

    name = SUBSCRIPTIONS

    def __init__(self, subscriptions: Subscribable) -> None:
        self._subscriptions = subscriptions

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {SUBSCRIBE: self._subscribe, UNSUBSCRIBE: self._unsubscribe}

    def accept(self, session: SessionView) -> None:
        session.subscribing = True

    def _subscribe(self, session: SessionView, request: Request) -> None:
        began, given = monotonic(), _one_map(request)
        announce = self._subscriptions.subscribe(session, given)
        topic = str(given.get("topic"))
        result = {"delivery": self._subscriptions.delivery(topic)}
        if is_topic(topic):
            session.result_behind(request.id, result, topic)
        else:  # a pattern (SUB-19)
            session.result(request.id, result)
        announce()
        session.charge(monotonic() - began)  # much may be retained

    def _unsubscribe(self, session: SessionView, request: Request) -> None:
        topic = self._subscriptions.unsubscribe(session, _one_map(request).get("subscription"))
        if is_topic(topic):
            session.result_behind(request.id, None, topic)
        else:
            session.result(request.id, None)


def _one_map(request: Request) -> dict[str, Any]:
    if len(request.args) != 1 or not isinstance(request.args[0], dict):
        raise InvalidParams(f"{request.method} takes one map", request.method)
    return request.args[0]
