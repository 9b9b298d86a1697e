"""A subscriber, as a function that renders on demand sees it."""

from __future__ import annotations

from typing import Any, Protocol

from wslink.errors import UsageError
from wslink.hub.audience import Member
from wslink.hub.filters import Tags
from wslink.hub.flow import SubscriptionFlow


class Seen(Member, Protocol):
    """A subscription, as rendering on demand needs it."""

    flow: SubscriptionFlow | None

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
    """A subscriber, as the function that renders for it sees it.

    Attributes:
        client_id: the client's id; where viewers share, that of the one that is rendered for first.
        quality: the quality to render at, from 0.05 to 1.
        still: whether nothing has changed for 200 ms: `quality` is 1, and this is the last call before a change.
        memory: for the function to keep what it likes as long as the subscription lasts, other filters included, such
            as what the viewer has been sent. Empty for each call where viewers share.
        parts: of how many of its kind what is rendered is one; see `again`.
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
        """Whether a publication with `tags` is for it."""
        return self._subscription.matches(tags)

    @property
    def rate(self) -> float:
        """Bytes per second that its line carries; 0 while unknown."""
        return self._subscription.rate

    @property
    def rtt(self) -> float:
        """Seconds from the beginning of a publication's sending until the page had dealt with it; 0 while unknown."""
        return self._subscription.rtt

    @property
    def lag(self) -> float:
        """Seconds from a publication until the page had dealt with it; 0 while unknown."""
        return self._subscription.lag

    @property
    def dropped(self) -> int:
        """Publications that a newer one replaced before they were sent."""
        return self._subscription.dropped

    @property
    def window(self) -> int:
        """Publications that may be on their way to its page; 0 for a client without `flow`, which has no window."""
        return self._subscription.window

    def again(self, parts: int = 1) -> None:
        """Call once more when it can take another publication, although nothing changes: there is more to send.
        Without effect where viewers share.

        Args:
            parts: how many such publications make a picture, so that the quality is chosen for whole pictures.

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
