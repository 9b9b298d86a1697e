"""Calls from server to client (HND)."""

from __future__ import annotations

from wslink.session.features import Feature
from wslink.session.view import SessionView
from wslink.wire.messages import HANDLES


class Handle(Feature):
    """Lets the server call methods of clients."""

    name = HANDLES
    versions: frozenset[int] = frozenset((2,))

    def accept(self, session: SessionView) -> None:
        session.accept_calls()
