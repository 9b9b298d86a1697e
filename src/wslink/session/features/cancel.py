"""Cancellation of calls (CAN)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wslink.errors import InvalidRequest
from wslink.session.features import Feature, MessageHandler
from wslink.session.view import SessionView
from wslink.wire.extensions import CANCEL
from wslink.wire.messages import CANCELLATION, MAX_ID, is_id


class Cancel(Feature):
    """Lets clients cancel their calls, and either side abort messages that are partly sent."""

    name = CANCELLATION
    versions: frozenset[int] = frozenset((2,))

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        return {CANCEL: self._cancel}

    def accept(self, session: SessionView) -> None:
        session.accept_ends()

    def _cancel(self, session: SessionView, items: Sequence[Any]) -> None:
        id_ = items[1] if len(items) > 1 else None
        if not is_id(id_):
            raise InvalidRequest(f"the id of a call must be a string of at most {MAX_ID} characters")
        session.cancel(id_)
