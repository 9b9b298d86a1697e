"""`traceparent` of W3C Trace Context: the span in which a message was created (TRC-1, TRC-2)."""

from __future__ import annotations

import re
from typing import NamedTuple

from wslink.wire.value import Value

TRACEPARENT = "traceparent"
"""The key of messages."""
MAX_TRACEPARENT = 512
"""Characters of one that is looked at (TRC-2)."""
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)


class TraceParent(NamedTuple):
    """A span of another process.

    Attributes:
        trace: the trace id, 128 bits.
        span: the span id, 64 bits.
        sampled: whether the other process may have recorded it.
    """

    trace: int
    span: int
    sampled: bool


def read_traceparent(value: Value) -> TraceParent | None:
    """Parse `value`, whatever a peer has sent; None if it is malformed (TRC-2)."""
    if type(value) is not str or len(value) > MAX_TRACEPARENT:
        return None
    found = _FORM.fullmatch(value)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5] is not None):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    return TraceParent(trace, span, bool(int(found[4], 16) & 1)) if trace and span else None


def write_traceparent(trace: int, span: int, sampled: bool) -> str:
    """Format the traceparent of a span (TRC-1)."""
    return f"00-{trace:032x}-{span:016x}-{int(sampled):02x}"
