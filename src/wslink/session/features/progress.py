"""Progress of calls under way (PRG)."""

from __future__ import annotations

from wslink.session.features import Feature
from wslink.wire.messages import PROGRESSES


class Progress(Feature):
    """Lets methods tell callers that want to know how far their calls have come."""

    name = PROGRESSES
    versions: frozenset[int] = frozenset((2,))
