"""Incoming frames that have to wait. No client may occupy the event loop beyond its turn, and no calls are accepted
from a client that reads too slowly or has many calls running (TURN-1 to TURN-3)."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from wslink.session.cancelled import CancelledCalls
from wslink.session.state import CLOSED, NEW, State
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.extensions import PASSING
from wslink.wire.frames import Buffer
from wslink.wire.heads import is_packed_response

CREDIT = 16
"""Frames, or 8 KiB of them, that are accepted from a client before the clock is read."""
UNITS = 13
"""A frame costs 1 credit, plus its size shifted right by this many bits."""
UNLIMITED = 1 << 60
CLIENT_TIME = 0.002
"""Seconds per turn of the event loop for one client's frames. The rest of them wait."""
TURN_TIME = 0.008
"""Seconds per turn for frames that have waited, of all clients together."""
PAUSE_ABOVE, RESUME_BELOW = 256 * 1024, 64 * 1024
"""Waiting bytes above which reading from a client pauses, and below which it resumes."""
MAX_EXTENSION, FIXARRAY = 512, 0x9
OVERHEAD = 128
"""Bytes that a waiting frame counts in addition to its own."""


def is_extension(data: Buffer | str) -> bool:
    """Whether a frame is a complete, small extension message (EXT-4), of a type whose order relative to waiting
    messages does not matter. Extension messages are arrays, calls are maps."""
    if isinstance(data, str) or not HEADER_LENGTH + 1 < len(data) <= MAX_EXTENSION:
        return False
    return data[HEADER_LENGTH] >> 4 == FIXARRAY and data[HEADER_LENGTH + 1] in PASSING and not any(data[4:8])


def is_response(data: Buffer | str) -> bool:
    """Whether a frame is a complete response: a map without a method (HND-1)."""
    if isinstance(data, str) or any(data[4:8]) or int.from_bytes(data[8:12], "little") != len(data) - HEADER_LENGTH:
        return False
    return is_packed_response(memoryview(data)[HEADER_LENGTH:])


class Source(Protocol):
    """A source of frames (session.ports.Transport)."""

    def cork(self) -> None: ...
    def uncork(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Taker(Protocol):
    """The receiver of frames: a session.

    Attributes:
        credit: decreases with each frame. Below 0, `Intake.holds` decides.
        state: see State.
    """

    credit: int
    state: State

    @property
    def awaits_response(self) -> bool:
        """Whether the server is waiting for a response from the client."""

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Handle a frame."""

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""

    def stalled(self, reason: str) -> None:
        """The client has accepted nothing for too long (LIM-6)."""

    def hears(self, on: bool) -> None:
        """Reading from the connection has resumed, or paused."""


class Turns:
    """Gives turns to the clients of a server whose frames are waiting, one client after another."""

    def __init__(self) -> None:
        self._waiting: deque[Intake] = deque()
        self._scheduled = False

    def add(self, intake: Intake) -> None:
        """Give `intake` a turn, after whatever else is ready."""
        self._waiting.append(intake)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        end = monotonic() + TURN_TIME
        for _ in range(len(self._waiting)):
            intake = self._waiting.popleft()
            if intake.work():
                self.add(intake)
            if monotonic() > end:
                break
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)


class Intake:
    """The waiting frames of one client.

    The session decreases its `credit` with each frame, and calls `holds` when the credit is used up.

    Args:
        session: handles the frames.
        source: where they come from.
        turns: the server's.
        behind: whether nothing further is accepted from the client.
        limit: bytes that may wait (LIM-16).
    """

    __slots__ = (
        "_began", "_behind", "_cancelled", "_context", "_frames", "_limit", "_marked", "_passing", "_paused", "_queued",
        "_session", "_source", "_taken", "_turns", "waiting",
    )  # fmt: skip

    def __init__(self, session: Taker, source: Source, turns: Turns, behind: Callable[[], bool], limit: int) -> None:
        self.waiting: int = 0
        """Bytes that are waiting."""
        self._session = session
        self._source = source
        self._turns = turns
        self._behind = behind
        self._limit = limit
        self._frames: deque[tuple[bool, Buffer | str]] = deque()
        self._passing: deque[tuple[bool, Buffer | str]] = deque()
        """Frames that may overtake those that wait for their turn, but could not be handled at once."""
        self._context: contextvars.Context | None = None
        """The context in which waiting frames arrived. What makes room for them, such as the end of another call, runs
        in a different one."""
        self._marked = False  # whether `_turned` is scheduled for the end of this turn of the event loop
        self._began = 0.0  # when that was scheduled
        self._paused = False
        self._queued = False  # whether `turns` has a turn scheduled
        self._taken = 0  # frames that waited and have been handled
        self._cancelled = CancelledCalls()

    def holds(self, binary: bool, data: Buffer | str) -> bool:
        """Decide whether a frame has to wait. If not, the session handles it now."""
        session = self._session
        if session.state is CLOSED:
            return False
        if not self._frames and not self._behind():
            if self._is_its_turn():
                session.credit = CREDIT
                return False
        elif is_extension(data) or (session.awaits_response and is_response(data)):
            # Acknowledgements, which allow sending to go on; cancellations; responses that running calls wait for.
            if not self._passing and self._is_its_turn():
                return False
            self._hold(binary, data, self._passing)
            self.wake()
            return True
        self._hold(binary, data, self._frames)
        if not self._behind():
            self.wake()
        return True

    def _is_its_turn(self) -> bool:
        """Whether the client has time left in this turn of the event loop."""
        if self._marked:
            return monotonic() - self._began < CLIENT_TIME
        self._marked = True
        self._began = monotonic()
        asyncio.get_running_loop().call_soon(self._turned)
        return True

    def _turned(self) -> None:
        self._marked = False
        if not self._frames and not self._behind():
            self._session.credit = CREDIT

    def _hold(self, binary: bool, data: Buffer | str, frames: deque[tuple[bool, Buffer | str]]) -> None:
        if not self._frames and not self._passing:
            self._context = contextvars.copy_context()
        kept = data if isinstance(data, (bytes, str)) else bytes(data)
        frames.append((binary, kept))
        self.waiting += len(kept) + OVERHEAD
        session = self._session
        session.credit = -1
        if self.waiting > (0 if session.state is NEW else self._most) and not self._paused:
            self._paused = True
            self._source.pause_reading()
            session.hears(False)
        if self.waiting > self._limit:
            session.close(1008, f"over max_held ({self._limit} bytes) of calls wait: the client sends too fast")

    @property
    def _most(self) -> int:
        """Waiting bytes above which reading pauses. It is more while a response may be behind them."""
        return max(self._limit // 2, PAUSE_ABOVE) if self._session.awaits_response else PAUSE_ABOVE

    def read_on(self) -> None:
        """A response is expected: read more before reading pauses."""
        if self._paused and self.waiting <= self._most:
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._source.resume_reading()
        self._session.hears(True)

    @property
    def held(self) -> int:
        """The number of waiting frames."""
        return len(self._frames) + len(self._passing)

    def wake(self) -> None:
        """There may be room: handle what is waiting in the next turn."""
        if (self._frames or self._passing or self._paused) and not self._queued:
            self._queued = True
            self._turns.add(self)

    def work(self) -> bool:
        """Handle what is waiting, for a limited time. Returns whether more is left."""
        return self._work() if self._context is None else self._context.run(self._work)

    def _work(self) -> bool:
        session, frames, passing, source = self._session, self._frames, self._passing, self._source
        end = monotonic() + CLIENT_TIME
        source.cork()
        while session.state is not CLOSED and (passing or (frames and not self._behind())):
            self._taken += not passing
            binary, data = (passing or frames).popleft()
            self.waiting -= len(data) + OVERHEAD
            session.credit = UNLIMITED
            session.receive(binary, data)
            if monotonic() > end:
                break
        source.uncork()
        if not frames:
            self._cancelled.clear()
        if not frames and not passing:
            self._context = None
        ready = session.state is not CLOSED and not self._behind()
        session.credit = CREDIT if ready and not frames else -1
        if self._paused and ready and self.waiting <= RESUME_BELOW:
            self._resume()
        self._queued = session.state is not CLOSED and bool(passing or (ready and frames))
        return self._queued

    def cancel(self, id_: str) -> bool:
        """A call that is not running is cancelled. Returns whether it may be among the waiting ones (CAN-2)."""
        if self._frames:
            self._cancelled.add(id_, self._taken, len(self._frames))
        return bool(self._frames)

    def was_cancelled(self, id_: str) -> bool:
        """Whether the call that is being handled was cancelled."""
        return bool(self._cancelled) and self._cancelled.take(id_, self._taken)

    @property
    def has_cancelled(self) -> bool:
        """Whether a waiting call was cancelled."""
        return bool(self._cancelled)

    def give_up(self) -> list[tuple[bool, Buffer | str]]:
        """Return the waiting frames without handling them, and let the transport read on."""
        waited = [*self._passing, *self._frames]
        self._passing.clear()
        self._frames.clear()
        self._cancelled.clear()
        self._context = None
        self._behind = _not_behind
        self.waiting = 0
        if self._paused:
            self._paused = False
            self._source.resume_reading()
        return waited


def _not_behind() -> bool:
    """In place of what refers to the pace of the client, once that has ended."""
    return False
