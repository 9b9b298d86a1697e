"""The view of a subscriber that on-demand rendering gets."""

from __future__ import annotations

from typing import Any, Protocol

from wslink.errors import UsageError
from wslink.hub.audience import Member
from wslink.hub.filters import Tags
from wslink.hub.flow import SubscriptionFlow


class Seen(Member, Protocol):
    """A subscription, as on-demand rendering needs it."""

    flow: SubscriptionFlow | None

    @property
    def filter(self) -> dict[str, Any]: ...

    @property
    def quality(self) -> float: ...

    @property
    def rate(self) -> float: ...

    @property
    def rtt(self) -> float: ...

    @property
    def lag(self) -> float: ...

    @property
    def dropped(self) -> int: ...

    @property
    def window(self) -> int: ...


class Viewer:
    """A subscriber, passed to the function that renders for it (`Topic.on_demand`).

    Attributes:
        client_id: the client's id; for shared rendering, that of the first of those that share it.
        quality: the quality to render at, from 0.05 to 1.
        still: whether nothing has changed for 200 ms: `quality` is 1, and this is the last call before a change.
        memory: a dict for the function's own data, such as what the viewer has been sent. It lasts as long as the
            subscription, also when the filter is replaced; for shared rendering it is empty in each call.
        parts: the number of publications that make a picture; see `again`.
    """

    __slots__ = ("_again", "_subscription", "client_id", "memory", "parts", "quality", "still")

    def __init__(self, subscription: Seen, quality: float, still: bool, memory: dict[str, Any]) -> None:
        self.client_id: str = subscription.client_id
        self.quality: float = quality
        self.still: bool = still
        self.memory: dict[str, Any] = memory
        self._subscription = subscription
        self._again = False
        self.parts: int = 1

    @property
    def filter(self) -> dict[str, Any]:
        """Its filter; {} for everything."""
        return self._subscription.filter

    def matches(self, tags: Tags) -> bool:
        """Whether its filter matches a publication with `tags`."""
        return self._subscription.matches(tags)

    @property
    def rate(self) -> float:
        """Bytes per second that the client's line carries; 0 while unknown."""
        return self._subscription.rate

    @property
    def rtt(self) -> float:
        """Seconds from the start of sending a publication until the page has processed it; 0 while unknown."""
        return self._subscription.rtt

    @property
    def lag(self) -> float:
        """Seconds from a publication until the page has processed it; 0 while unknown."""
        return self._subscription.lag

    @property
    def dropped(self) -> int:
        """Publications that were replaced by newer ones before they were sent."""
        return self._subscription.dropped

    @property
    def window(self) -> int:
        """Publications that may be in flight to the page; 0 for a client without `flow`, which has no window."""
        return self._subscription.window

    def again(self, parts: int = 1) -> None:
        """Ask for another call as soon as the subscriber can take another publication, even if nothing changes: there
        is more to send. Has no effect for shared rendering.

        Args:
            parts: the number of publications that make a picture; the quality is chosen for whole pictures.

        Raises:
            UsageError: for fewer parts than 1.
        """
        if parts < 1:
            raise UsageError(f"a picture has at least 1 part, not {parts}")
        self._again = True
        self.parts = parts

    @property
    def wants_more(self) -> bool:
        """Whether `again` was called."""
        return self._again
