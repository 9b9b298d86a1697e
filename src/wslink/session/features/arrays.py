"""Typed arrays (ARR)."""

from __future__ import annotations

from wslink.session.features import Feature
from wslink.session.view import SessionView
from wslink.wire.messages import ARRAYS


class Arrays(Feature):
    """Values may hold typed arrays, in both directions."""

    name = ARRAYS
    versions: frozenset[int] = frozenset((2,))

    def accept(self, session: SessionView) -> None:
        session.accept_arrays()
