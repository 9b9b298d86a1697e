"""Session resumption (RES)."""

from __future__ import annotations

from collections.abc import Mapping

from wslink.session.features import Feature, MessageHandler
from wslink.session.features.acknowledgement import take_acknowledgement
from wslink.session.view import SessionView
from wslink.wire.extensions import ACKNOWLEDGEMENT
from wslink.wire.messages import RESUME


class Resume(Feature):
    """Keeps the messages that a client may have missed, so that it can return to its session."""

    name = RESUME
    versions: frozenset[int] = frozenset((2,))

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        return {ACKNOWLEDGEMENT: take_acknowledgement}

    def accept(self, session: SessionView) -> None:
        session.start_resume()
