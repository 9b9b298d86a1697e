"""A client's acknowledgements, which the features `flow` and `resume` share (FLOW-2, RES-5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wslink.errors import InvalidRequest
from wslink.session.view import SessionView
from wslink.wire.extensions import number

MAX_NUMBERS = 4096
"""Numbers that a message may list as missing: more than any receiver tolerates."""


NONE: frozenset[int] = frozenset()


def take_acknowledgement(session: SessionView, items: Sequence[Any]) -> None:
    """Handle `[1, bytes, held]`, with `resume` `[1, bytes, held, number, [missing numbers], at once]`.

    Raises:
        InvalidRequest: the message is malformed.
    """
    total, held = number(items, 1, "bytes received"), number(items, 2, "milliseconds held")
    resumption = session.resumption
    if resumption is not None:
        resumption.acknowledge(*numbers_of(items))
        if resumption.previous:
            session.void_previous_token()
        if len(items) > 5 and items[5] is True and session.acknowledgements is not None:
            session.acknowledgements.send()
    if session.flow is not None:
        session.flow.acknowledged(total, held)


def numbers_of(items: Sequence[Any]) -> tuple[int, frozenset[int]]:
    """Return the highest number that has arrived, and those below it that have not (RES-5). Raises InvalidRequest."""
    missing = items[4] if len(items) > 4 else []
    if type(missing) is not list or len(missing) > MAX_NUMBERS:
        raise InvalidRequest("the numbers that are missing must be a list")
    received = items[3] if len(items) > 3 else None
    if type(received) is not int or received < 0:
        received = number(items, 3, "the number received")
    if not missing:
        return received, NONE
    return received, frozenset(number(missing, at, "a number") for at in range(len(missing)))
