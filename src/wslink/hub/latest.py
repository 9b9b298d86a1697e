""" "latest" delivery of topics that is configured from outside the application that publishes on them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from wslink.errors import UsageError
from wslink.wire.messages import is_topic


def parse_latest(text: str) -> dict[str, str]:
    """Parse a comma-separated list of topics, each with the payload's entry whose values are kept apart: "a.topic,
    another.topic:id" is {"a.topic": "", "another.topic": "id"}.

    Raises:
        UsageError: an item is not a topic. The message names it.
    """
    found: dict[str, str] = {}
    for one in filter(None, map(str.strip, text.split(","))):
        topic, colon, entry = one.partition(":")
        if not is_topic(topic) or (colon and not entry):
            raise UsageError(
                f"latest: {one!r} is not a topic; topics are separated by commas, and each may name an entry of its "
                "payload, such as viewport.image.push.subscription:id"
            )
        found[topic] = entry
    return found


def key_in(payload: Any, entry: str) -> Hashable:
    """Return the key of a payload: the value of its `entry`, or None, the key of all others, if there is no such
    entry."""
    if not entry or not isinstance(payload, Mapping) or entry not in payload:
        return None
    value = payload[entry]
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return (type(value).__name__, equal_to_itself(value))


def equal_to_itself(key: Hashable) -> Hashable:
    """Return `key` with one NaN object in place of all NaNs, alone or in tuples. NaNs are not equal to each other, so a
    publication with another one would replace nothing."""
    if isinstance(key, tuple):
        return tuple(map(equal_to_itself, key))
    return key if key == key else math.nan
