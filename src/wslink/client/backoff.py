"""Reconnection delays."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, fields
from time import monotonic

from wslink.errors import UsageError

HELD = 1.0
"""Seconds. A connection that held for less is no reason to try again at once."""
STOPPED = (1001, 1012, 1013)
"""Codes of a server that stops, is restarted, or has too much to do: all of its clients are about to return."""


@dataclass(frozen=True)
class Reconnect:
    """How a link reconnects, for `connect(url, reconnect=...)`. All times are in seconds.

    Attributes:
        initial: the longest wait before the second attempt. The first is made at once, unless the server announced that
            it is stopping. The longest wait doubles with each attempt.
        max: the upper bound of that wait.
        give_up_after: the time without a connection after which the link closes for good; by default it never does.

    Raises:
        UsageError: a time is not a number of seconds, 0 or more.
    """

    initial: float = 5.0
    max: float = 9.0
    give_up_after: float = math.inf

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, (int, float)) or not value >= 0:
                raise UsageError(f"reconnect.{each.name} is a number of seconds, not {value!r}")


class Backoff:
    """Random waits whose upper bound doubles. The lower bound is 0 at first, and later half of the upper one. With the
    defaults, all clients of a restarted server are back within 10 s, and no more than a quarter of them in any
    second."""

    def __init__(self, options: Reconnect) -> None:
        self.give_up_after: float | None = None if math.isinf(options.give_up_after) else options.give_up_after
        self._options = options
        self._attempts = 0
        self._opened_at = 0.0

    def opened(self) -> None:
        """A connection was opened."""
        self._opened_at = monotonic()

    def ended(self, code: int) -> None:
        """The connection has ended with this close code."""
        if monotonic() - self._opened_at >= min(HELD, self._options.initial):
            self._attempts = 0
        if code in STOPPED:
            self._attempts = max(self._attempts, 1)

    def delay(self) -> float:
        """Seconds until the next attempt."""
        attempts, self._attempts = self._attempts, self._attempts + 1
        if not attempts:
            return 0.0
        longest = min(self._options.initial * 2.0 ** min(attempts - 1, 32), self._options.max)
        shortest = 0.0 if attempts == 1 else longest / 2  # otherwise, clients that start together would stay together
        return random.uniform(shortest, longest)  # noqa: S311 - no secret
