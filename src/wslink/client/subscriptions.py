"""The subscriptions of one link, and whether the link should read on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping

from wslink.client.subscription import Inbox, Settle
from wslink.errors import WslinkError
from wslink.wire.value import Value


class Subscriptions:
    """The inboxes of a link, by number.

    Attributes:
        room: set when there may be room again.

    Args:
        settle: see Inbox.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self.room: asyncio.Event = asyncio.Event()
        self._inboxes: dict[int, Inbox] = {}
        self._ids = itertools.count(1)

    def __contains__(self, inbox: Inbox) -> bool:
        return inbox.id in self._inboxes

    def add(
        self,
        topic: str,
        filter: Mapping[str, Value] | None,
        buffer: int,
        window: int | None,
        max_rate: float | None,
    ) -> Inbox:
        """Create the inbox of a new subscription; see Link.subscribe."""
        pace = {"window": window, "max_rate": max_rate}
        chosen = {name: value for name, value in pace.items() if value is not None}
        inbox = Inbox(next(self._ids), topic, buffer, chosen, self._settle)
        inbox.filter = filter
        self._inboxes[inbox.id] = inbox
        return inbox

    def remove(self, inbox: Inbox) -> bool:
        """Forget a subscription. Returns whether it was known."""
        known = self._inboxes.pop(inbox.id, None)
        self.room.set()
        return known is not None

    def begin_again(self) -> list[Inbox]:
        """A session begins after another. Returns the subscriptions that were in effect in the previous one."""
        for inbox in self._inboxes.values():
            inbox.begin_again()
        return [inbox for inbox in self._inboxes.values() if inbox.ready.done()]

    def publish(self, topic: str, message: Mapping[str, Value]) -> list[Inbox]:
        """Put a publication into the inboxes for which it is. Returns those that had no room."""
        ids = message.get("subscriptions")
        if isinstance(ids, list):  # SUB-6
            known = dict.fromkeys(id_ for id_ in ids if type(id_) is int)  # without duplicates
            chosen = [self._inboxes[id_] for id_ in known if id_ in self._inboxes]
        else:  # a server without explicit subscriptions sends everything
            chosen = [inbox for inbox in self._inboxes.values() if inbox.topic == topic]
        return [inbox for inbox in chosen if not inbox.put(message.get("result"))]

    @property
    def any_full(self) -> bool:
        """Whether a subscriber is behind."""
        return any(inbox.is_behind for inbox in self._inboxes.values())

    @property
    def held_up(self) -> bool:
        """Whether every subscriber is behind, or one for which the server skips publications."""
        full = [inbox for inbox in self._inboxes.values() if inbox.is_behind]
        if not full:
            return False
        return len(full) == len(self._inboxes) or any(inbox.is_skipping for inbox in full)

    def end(self, error: WslinkError | None, unready: WslinkError) -> None:
        """End all subscriptions; see Inbox.end."""
        for inbox in self._inboxes.values():
            inbox.end(error, unready)
        self._inboxes.clear()
