"""Subscriptions as clients request them, and as the hub keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wslink.errors import InvalidParams
from wslink.hub.filter_index import filter_size
from wslink.hub.filters import Definition, Predicate, compile_filter, define
from wslink.hub.flow import SubscriptionFlow
from wslink.hub.patterns import compile_pattern, is_pattern
from wslink.hub.topics import Subscription
from wslink.wire.limits import Limits
from wslink.wire.show import shown

MAX_CHOSEN_WINDOW = 1024
LEAST_RATE = 0.001
"""The bounds on what a client may choose (FLOW-6)."""


class SubscriptionRequest(msgspec.Struct, frozen=True, gc=False):
    """A valid request for a subscription (SUB-2, FLOW-6). It is part of no circle.

    Attributes:
        id: the client's number for it.
        topic: the topic's name, or a pattern.
        filter: the filter.
        matches: evaluates the filter.
        covers: for a pattern, tells whether a topic matches it.
        size: the size of the filter (LIM-7).
        window, max_rate: what the client chose; None by default.
    """

    id: int
    topic: Any
    filter: Definition
    matches: Predicate
    covers: Callable[[str], bool] | None
    size: int = 0
    window: int | None = None
    max_rate: float | None = None

    @property
    def request(self) -> dict[str, Any]:
        """The request that `parse_request` parses to this."""
        chosen = {"window": self.window, "max_rate": self.max_rate}
        return {"subscription": self.id, "topic": self.topic, "filter": self.filter.unpack(), **chosen}


class Held:
    """A client's subscription to a topic, or to the topics that match its pattern.

    Attributes:
        asked: the client's request.
        parts: the subscriptions to single topics, by the topic's name.
        flow: shared by them; None for a client that does not acknowledge.
        weight: the share of `max_server_filter_size` that it takes (LIM-7).
    """

    __slots__ = ("asked", "flow", "parts", "weight")

    def __init__(self, asked: SubscriptionRequest, flow: SubscriptionFlow | None, weight: int = 0) -> None:
        self.asked: SubscriptionRequest = asked
        self.parts: dict[str, Subscription] = {}
        self.flow: SubscriptionFlow | None = flow
        self.weight: int = weight

    @property
    def id(self) -> int:
        return self.asked.id

    @property
    def topic(self) -> Any:
        return self.asked.topic

    @property
    def covers(self) -> Callable[[str], bool] | None:
        return self.asked.covers

    @property
    def size(self) -> int:
        return self.asked.size


def parse_request(request: Mapping[str, Any], limits: Limits) -> SubscriptionRequest:
    """Parse a client's request. Raises InvalidParams."""
    topic, definition = request.get("topic"), request.get("filter")
    if not isinstance(topic, str):
        raise InvalidParams(f"there is no topic {shown(topic)}: its name is a string")
    id_ = subscription_id(request.get("subscription"))
    window, max_rate = _window(request.get("window")), _max_rate(request.get("max_rate"))
    size = filter_size(definition) if isinstance(definition, Mapping) else 0
    if size > limits.max_filter_size:  # checked before compiling, which is expensive
        raise InvalidParams(f"a filter is over max_filter_size ({limits.max_filter_size})")
    matches = compile_filter(definition, limits)
    pattern = is_pattern(topic)
    if pattern and (window, max_rate) != (None, None):
        raise InvalidParams("window and max_rate are for a topic, not for a pattern")
    if pattern and len(str(topic)) > limits.max_filter_text:
        raise InvalidParams(f"a pattern is over max_filter_text ({limits.max_filter_text}) characters")
    covers = compile_pattern(str(topic)) if pattern else None
    return SubscriptionRequest(id_, topic, define(definition), matches, covers, size, window, max_rate)


def subscription_id(id_: Any) -> int:
    """Check the id of a subscription. Raises InvalidParams."""
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
