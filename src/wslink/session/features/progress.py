"""Progress of running calls (PRG)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wslink.errors import InvalidRequest
from wslink.session.features import Feature, MessageHandler
from wslink.session.view import SessionView
from wslink.wire.extensions import PROGRESS
from wslink.wire.messages import MAX_ID, PROGRESSES, is_id


class Progress(Feature):
    """Lets methods report progress to callers that ask for it."""

    name = PROGRESSES
    versions: frozenset[int] = frozenset((2,))

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        return {PROGRESS: self._progressed}

    def _progressed(self, session: SessionView, items: Sequence[Any]) -> None:
        if session.calls is None:
            raise InvalidRequest("progress is of calls of the server, and `handle` was not accepted")
        if len(items) != 3 or not is_id(items[1]):
            raise InvalidRequest(f"progress is [7, <id of at most {MAX_ID} characters>, <value>]")
        session.calls.progressed(items[1], items[2])
