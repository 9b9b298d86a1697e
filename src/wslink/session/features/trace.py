"""Messages that name the span in which they were made (TRC)."""

from __future__ import annotations

from wslink.session.features import Feature
from wslink.session.view import SessionView
from wslink.wire.messages import ARRAYS, TRACE
from wslink.wire.v2_msgpack import V2Encoder


class Trace(Feature):
    """Clients' calls name their spans, and so do publications and calls for clients. It follows `arrays`.

    Args:
        plain, arrays: the encoders, without and with typed arrays, whose messages name theirs.
    """

    name = TRACE
    versions: frozenset[int] = frozenset((2,))

    def __init__(self, plain: V2Encoder, arrays: V2Encoder) -> None:
        self._plain = plain
        self._arrays = arrays

    def accept(self, session: SessionView) -> None:
        session.encoder = self._arrays if ARRAYS in session.features else self._plain
