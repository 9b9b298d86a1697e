"""Acknowledgements of received data and of handled publications (FLOW)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wslink.session.features import Feature, MessageHandler
from wslink.session.features.acknowledgement import take_acknowledgement
from wslink.session.view import SessionView
from wslink.session.window import Settled
from wslink.wire.extensions import ACKNOWLEDGEMENT, SETTLED, number

FLOW = "flow"

Observe = Callable[[SessionView, int, Settled], None]
"""Receives publications that a client has settled, and the number of the subscription."""


class Flow(Feature):
    """Sends no more than the line carries and the page can handle.

    Args:
        observe: see Observe.
    """

    name = FLOW
    versions: frozenset[int] = frozenset((2,))

    def __init__(self, observe: Observe) -> None:
        self._observe = observe

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        return {ACKNOWLEDGEMENT: take_acknowledgement, SETTLED: self._settled}

    def accept(self, session: SessionView) -> None:
        session.start_flow()

    def _settled(self, session: SessionView, items: Sequence[Any]) -> None:
        subscription, count = number(items, 1, "the subscription"), number(items, 2, "the publications settled")
        duration = number(items, 3, "milliseconds of the callback")
        settled = session.flow.settled(subscription, count, duration) if session.flow is not None else None
        if settled is not None:
            self._observe(session, subscription, settled)
