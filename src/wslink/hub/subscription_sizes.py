"""What the subscriptions of clients count (LIM-7)."""

from __future__ import annotations

import msgspec

from wslink.errors import LimitExceeded
from wslink.hub.requested import Held
from wslink.hub.shares import share
from wslink.session.view import SessionView
from wslink.wire.limits import Limits

SUBSCRIPTION = 1024
"""Bytes that a subscription counts beside its filter, for each topic that it is to."""


class _Held(msgspec.Struct):
    """One client's bytes: of filters, and of subscriptions with these."""

    filters: int = 0
    all: int = 0


class SubscriptionSizes:
    """What the subscriptions of each client count, and those of all.

    Attributes:
        bytes: of the subscriptions of all clients.
        holders: clients that have any.
    """

    def __init__(self) -> None:
        self.bytes: int = 0
        self.holders: int = 0
        self._of: dict[SessionView, _Held] = {}

    def leave(self, session: SessionView) -> None:
        """A client has gone."""
        if session in self._of:
            self._add(session, 0, -self._of[session].all)
            del self._of[session]

    def replace(self, session: SessionView, old: Held | None, size: int, topics: int, limits: Limits) -> int:
        """Count a subscription to so many topics whose filter counts `size`, in place of another one; what it counts.

        Raises:
            LimitExceeded: if it is more than the client may have; it does not count then.
        """
        before = (old.size, old.weight) if old is not None else (0, 0)
        weight = size + SUBSCRIPTION * max(topics, 1)
        held = self._of.get(session) or _Held()
        if held.filters + size - before[0] > limits.max_filter_size:
            raise LimitExceeded(f"over max_filter_size ({limits.max_filter_size}) in the filters of a client")
        if weight > before[1]:
            self._check(held.all + weight - before[1], weight - before[1], limits)
        self._add(session, size - before[0], weight - before[1])
        return weight

    def _check(self, held: int, more: int, limits: Limits) -> None:
        total = limits.max_server_filter_size
        most = share(self.bytes + more, self.holders, held, total)
        if held > most:
            raise LimitExceeded(
                f"over max_server_filter_size ({total}) in the subscriptions of all clients, and over {most} in those "
                "of this one"
            )

    def extend(self, session: SessionView, held: Held) -> None:
        """A client's pattern stands for one topic more."""
        held.weight += SUBSCRIPTION
        self._add(session, 0, SUBSCRIPTION)

    def remove(self, session: SessionView, held: Held) -> None:
        """A subscription has ended."""
        self._add(session, -held.size, -held.weight)

    def _add(self, session: SessionView, filters: int, all_: int) -> None:
        held = self._of.get(session)
        if held is None:
            held = self._of[session] = _Held()
        had = held.all > 0
        held.filters += filters
        held.all += all_
        self.bytes += all_
        self.holders += (held.all > 0) - had
