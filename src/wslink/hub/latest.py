"""Topics of which only the newest publication waits, named from outside of the application that publishes them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from wslink.errors import UsageError
from wslink.wire.messages import is_topic


def parse_latest(text: str) -> dict[str, str]:
    """The topics in a list that is separated by commas, each with the name of the payload's entry whose values are kept
    apart: "a.topic, another.topic:id" is {"a.topic": "", "another.topic": "id"}.

    Raises:
        UsageError: naming what is no topic.
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
    """What `payload` is the newest of: the value of its `entry`; None, which all have in common, without one."""
    if not entry or not isinstance(payload, Mapping) or entry not in payload:
        return None
    value = payload[entry]
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return (type(value).__name__, equal_to_itself(value))


def equal_to_itself(key: Hashable) -> Hashable:
    """`key` with one object in place of all that are not a number, alone or in tuples: none of these is equal to
    another, and a publication with it would replace nothing."""
    if isinstance(key, tuple):
        return tuple(map(equal_to_itself, key))
    return key if key == key else math.nan
