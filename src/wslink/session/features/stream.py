"""Streamed results and streamed arguments (STR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wslink.session.features import Feature, MessageHandler
from wslink.session.view import SessionView
from wslink.wire.extensions import ITEM, ITEM_CREDIT, ITEM_END
from wslink.wire.messages import STREAM


class Stream(Feature):
    """Sends items of calls in both directions, within the credit that their readers grant."""

    name = STREAM
    versions: frozenset[int] = frozenset((2,))

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        return dict.fromkeys((ITEM, ITEM_END, ITEM_CREDIT), self._take)

    def accept(self, session: SessionView) -> None:
        session.start_streams()

    def _take(self, session: SessionView, items: Sequence[Any]) -> None:
        session.take_stream(items)
