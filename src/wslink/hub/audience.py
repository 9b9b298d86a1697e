"""The subscriptions to a topic, and the selection of a publication's recipients."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from wslink.hub.filter_index import FilterIndex
from wslink.hub.filters import Definition, Tag, Tags, check_tags
from wslink.hub.recipients import Recipients, ids_of
from wslink.session.view import SessionView

logger: logging.Logger = logging.getLogger("wslink")


class Member(Hashable, Protocol):
    """A subscription, as an audience needs it."""

    id: int
    client_id: str
    active: bool
    session: SessionView
    definition: Definition

    def matches(self, tags: Tags) -> bool: ...


class Registry(Protocol):
    """The server, as an audience needs it."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...

    def knows(self, client_id: str) -> bool:
        """Whether a client with this id is connected."""


MemberT = TypeVar("MemberT", bound=Member)

Targets = dict[tuple[Any, tuple[int, ...] | None], list[SessionView]]
"""The clients that a publication is sent to, grouped by what they are sent: their encoder and the ids of their matching
subscriptions, or None for released clients (SUB-6)."""


def grouped(members: Iterable[Member]) -> Targets:
    """Group the clients of `members`."""
    matching: dict[SessionView, list[int]] = {}
    for member in members:
        matching.setdefault(member.session, []).append(member.id)
    targets: Targets = {}
    for session, ids in matching.items():
        key = session.encoder, tuple(sorted(ids)) if session.subscribing else None
        targets.setdefault(key, []).append(session)
    return targets


class Audience(Generic[MemberT]):
    """The subscriptions to one topic.

    Args:
        name: the topic's name.
        registry: see Registry.
    """

    def __init__(self, name: str, registry: Registry) -> None:
        self.name: str = name
        self._registry = registry
        # Oldest first. Changed under the registry's lock.
        self._active: dict[MemberT, None] = {}
        self._of: dict[str, dict[MemberT, None]] = {}
        """The same, by client id."""
        self._index: FilterIndex[MemberT] = FilterIndex()
        # A tuple of them, which any thread may read; None after a change. It is rebuilt on demand, which is faster when
        # thousands of clients come and go together.
        self._snapshot: tuple[MemberT, ...] | None = ()
        self._everyone: tuple[tuple[MemberT, ...], Targets] = (), {}
        """The targets of a publication to all of these subscriptions, if none of them has a filter."""

    @property
    def subscriptions(self) -> tuple[MemberT, ...]:
        """The active subscriptions. Safe to read from any thread."""
        snapshot = self._snapshot
        if snapshot is None:
            with self._registry.lock:
                snapshot = self._snapshot = tuple(self._active)
        return snapshot

    @property
    def waiting(self) -> int:
        """Bytes that wait for the subscriber with the longest queue, whatever they belong to; 0 without subscribers."""
        return max((one.session.queue.waiting for one in self.subscriptions), default=0)

    def wants(self, tags: Tags | None = None) -> bool:
        """Whether a publication with `tags` would be sent to anyone. If not, it need not be computed."""
        plain = check_tags(tags) if tags else {}
        with self._registry.lock:
            candidates = self._index.find(plain)
        return any(subscription.matches(plain) for subscription in candidates)

    def _targets(
        self,
        subscriptions: tuple[MemberT, ...],
        tags: Mapping[str, Tag],
        to: Recipients | None,
        exclude: Recipients | None,
    ) -> Targets:
        """Select the recipients of a publication."""
        if isinstance(to, str) and not self._registry.knows(to):
            logger.warning("topic %s: there is no client %r to publish to", self.name, to)
            return {}
        known, targets = self._everyone
        if to is None and exclude is None and known is subscriptions:
            return targets
        ids, others = ids_of(to), ids_of(exclude) or ()
        with self._registry.lock:
            filtered = len(self._index)
            if ids is None:
                candidates: Iterable[MemberT] = self._index.find(tags)
            else:
                candidates = [one for id_ in ids for one in self._of.get(id_, ())]
        targets = grouped(one for one in candidates if one.client_id not in others and one.matches(tags))
        unchanged = subscriptions is self._snapshot  # it may have changed if another thread publishes
        if unchanged and to is None and exclude is None and not filtered:
            self._everyone = subscriptions, targets
        return targets

    def _remaining(self, targets: Targets) -> Targets:
        """Return `targets` without subscriptions that have ended since the publication (SUB-5)."""
        known = {(subscription.session, subscription.id) for subscription in self.subscriptions}
        remaining: Targets = {}
        for (encoder, ids), sessions in targets.items():
            for session in sessions:
                left = ids and tuple(id_ for id_ in ids if (session, id_) in known)
                if left or ids is None:
                    remaining.setdefault((encoder, left), []).append(session)
        return remaining

    # Called by the hub, on the event loop's thread and under its lock.

    def add(self, subscription: MemberT, replaces: MemberT | None = None) -> None:
        """Activate `subscription`, in place of the one that it replaces."""
        if replaces is not None:
            self._discard(replaces)
        self._active[subscription] = None
        self._of.setdefault(subscription.client_id, {})[subscription] = None
        self._index.add(subscription, subscription.definition.unpack())
        self._forget_snapshot()

    def remove(self, subscription: MemberT) -> None:
        """Deactivate `subscription`."""
        subscription.active = False
        self._discard(subscription)
        self._forget_snapshot()

    def _discard(self, subscription: MemberT) -> None:
        self._active.pop(subscription, None)
        self._index.remove(subscription)
        mine = self._of.get(subscription.client_id, {})
        mine.pop(subscription, None)
        if not mine:
            self._of.pop(subscription.client_id, None)

    def _forget_snapshot(self) -> None:
        """Drop everything that is derived from the subscriptions, which have changed."""
        self._snapshot = None
        self._everyone = (), {}
