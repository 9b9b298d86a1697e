"""What waits to be sent to one client, in order and within a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from wslink.errors import LimitExceeded
from wslink.wire.frames import Frame, Message


class _Slot:
    """A place in the queue. What stands in it may be replaced until it begins to be sent (SUB-13)."""

    __slots__ = ("key", "message")

    def __init__(self, message: Message, key: Hashable) -> None:
        self.message = message
        self.key = key


class SendQueue:
    """A queue of messages, bounded in bytes.

    Args:
        limit: the bytes that may wait behind the message that is being sent (LIM-6). One message larger than that is
            accepted while nothing else waits.
    """

    __slots__ = ("_being_sent", "_frames", "_latest", "_limit", "_slots", "dropped", "waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: deque[_Slot] | None = None  # a deque that is never used is most of what an idle client costs
        self._latest: dict[Hashable, _Slot] = {}
        self._frames: list[Frame] = []  # what is left of the message that is being sent, the next one last
        self._being_sent = 0  # bytes of these
        self.waiting = 0
        """Bytes that wait, those of the message that is being sent included."""
        self.dropped = 0
        """Messages that a newer one replaced."""

    def __len__(self) -> int:
        return len(self._slots or ()) + bool(self._frames)

    @property
    def between_messages(self) -> bool:
        """Whether no message has begun to be sent and is not at its end."""
        return not self._frames

    def put(self, message: Message, key: Hashable = None) -> bool:
        """Queue `message`. With a `key`, it takes the place of the waiting message that has the same key.

        Returns:
            Whether one message more waits than before: false if it took another's place.

        Raises:
            LimitExceeded: if it does not fit; it is not queued then.
        """
        slot = self._latest.get(key) if key is not None else None
        replaced = slot.message.size if slot else 0
        behind = self.waiting - self._being_sent - replaced
        if behind and behind + message.size > self._limit:
            raise LimitExceeded(f"over max_outbox ({self._limit} bytes) wait: the client reads too slowly")
        self.waiting += message.size - replaced
        if slot is not None:
            slot.message = message
            self.dropped += 1
            return False
        slot = _Slot(message, key)
        if self._slots is None:
            self._slots = deque()
        self._slots.append(slot)
        if key is not None:
            self._latest[key] = slot
        return True

    def next(self) -> Frame | None:
        """Take the next frame to be sent; None if nothing waits."""
        if not self._frames:
            if not self._slots:
                return None
            slot = self._slots.popleft()
            if slot.key is not None:
                del self._latest[slot.key]
            self._frames = list(reversed(slot.message.frames))
            self._being_sent = slot.message.size
        frame = self._frames.pop()
        self._being_sent -= frame.size
        self.waiting -= frame.size
        return frame

    def clear(self) -> None:
        """Forget all that waits."""
        self._slots = None
        self._latest.clear()
        self._frames.clear()
        self._being_sent = self.waiting = 0
