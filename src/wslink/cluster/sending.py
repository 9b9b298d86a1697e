"""A worker's own records in the log: with its name, numbered, in order."""

from __future__ import annotations

import asyncio
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from wslink.cluster.broker import Broker
from wslink.cluster.host_memory import SHARED_FROM
from wslink.cluster.outbox import Outbox
from wslink.cluster.records import Draft, Record, Reference, decode
from wslink.errors import BrokerError
from wslink.wire.frames import Buffer
from wslink.wire.value import Value

Share = Callable[[int, Sequence[Buffer]], Reference | None]

LONGEST_WAIT = 1.0
"""Seconds that a thread which publishes waits for sessions that move at this moment."""


class Sending:
    """A worker's own records. Use it on the event loop's thread, except for `publishing`, `publish` and `submitted`.

    Args:
        broker: see Broker.
        limit: see Outbox.
        share: passes the payload of the record with a number in another way, if possible.

    Attributes:
        origin: the worker's name.
        outbox: the drafts that wait to be appended; None while the worker is not served.
        latest: the number of its latest record that was read.
        heard_at: when its first record was read, in seconds of a monotonic clock. The others have read it since, too.
    """

    def __init__(self, broker: Broker, limit: Callable[[], int], share: Share) -> None:
        self.origin: str = ""
        self.outbox: Outbox | None = None
        self._broker = broker
        self._limit = limit
        self._share = share
        self.latest: int = 0
        self.heard_at: float = math.inf
        self._number = 0
        self._unread: deque[Draft] = deque()  # publications that were not read from the log yet
        self._under_way = 0  # publications of other threads that have begun, and are not delivered here yet
        self._moment = threading.Lock()
        self._order = threading.RLock()
        self._thread = 0
        self._loop: asyncio.AbstractEventLoop

    def begin(self) -> None:
        """Start on the running event loop."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._under_way = 0
        self.outbox = Outbox(self._broker, self._limit, self._stamp)

    def be_born(self) -> None:
        """Become another worker, with a new name."""
        self.origin, self._number, self.latest, self.heard_at = f"w{secrets.token_hex(8)}", 0, 0, math.inf
        self._unread.clear()

    def _stamp(self, draft: Draft) -> bytes:
        draft.number = self._number = self._number + 1
        reference = self._share(self._number, draft.buffers) if draft.size >= SHARED_FROM else None
        return draft.encode(self.origin, self._number, reference)

    def put(self, draft: Draft, must: bool = True) -> None:
        """See Outbox.put."""
        if self.outbox is not None:
            self.outbox.put(draft, must)

    def tell(self, kind: str, *fields: Value) -> None:
        self.put(Draft(kind, fields))

    # Publications ---------------------------------------------------------------------

    def publishing(self) -> None:
        """A publication begins; `submitted` ends it. May be called from any thread."""
        if not self._is_here:
            held = self._moment.acquire(timeout=LONGEST_WAIT)
            self._under_way += 1
            if held:
                self._moment.release()

    def publish(self, draft: Draft) -> None:
        """Append a publication. May be called from any thread. Raises BrokerError."""
        with self._order:
            self._unread.append(draft)  # first, since it may be read before `put` returns
            try:
                self.put(draft, must=False)
            except BrokerError:
                self._unread.remove(draft)
                raise

    def submitted(self) -> None:
        """A publication that began with `publishing` has been submitted to this worker's clients."""
        if not self._is_here:
            self._loop.call_soon_threadsafe(self._arrived)

    @property
    def _is_here(self) -> bool:
        return self.outbox is None or threading.get_ident() == self._thread

    def _arrived(self) -> None:
        self._under_way = max(self._under_way - 1, 0)

    @contextmanager
    def moment(self, force: bool) -> Iterator[bool]:
        """Enter a moment in which no other thread publishes: what was put has reached this worker's clients, and what
        is put later has not. Returns False if there is none, unless with `force`."""
        with self._moment:
            yield force or not self._under_way

    @property
    def position(self) -> int:
        """The number of the last record that was put."""
        return self._number + len(self.outbox or ())

    def read(self, number: int) -> None:
        """This worker's record with that number was read."""
        self.heard_at = min(self.heard_at, time.monotonic())
        unread, self.latest = self._unread, number
        while unread and 0 < unread[0].number <= number:
            unread.popleft()

    def unread(self) -> list[Record]:
        """Publications that were put and not yet read from the log."""
        found = (decode(draft.encode(self.origin, draft.number)) for draft in tuple(self._unread))
        return [record for record in found if record is not None]
