"""Trace contexts in messages (TRC)."""

from __future__ import annotations

from wslink.session.features import Feature
from wslink.session.view import SessionView
from wslink.wire.messages import ARRAYS, TRACE
from wslink.wire.v2_msgpack import V2Encoder


class Trace(Feature):
    """Lets messages carry the span in which they were created: clients' calls, publications, and calls to clients. It
    has to be registered after `arrays`.

    Args:
        plain, arrays: encoders that add trace contexts, without and with typed arrays.
    """

    name = TRACE
    versions: frozenset[int] = frozenset((2,))

    def __init__(self, plain: V2Encoder, arrays: V2Encoder) -> None:
        self._plain = plain
        self._arrays = arrays

    def accept(self, session: SessionView) -> None:
        session.encoder = self._arrays if ARRAYS in session.features else self._plain
