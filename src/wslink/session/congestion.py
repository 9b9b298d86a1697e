"""Rate, round trip and room of one direction of a connection, from what the peer acknowledges.

The model is that of BBR (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14/5, 2016), at the
level of messages: the largest delivery rate and the smallest round trip of the last moments say how much keeps the line
busy while next to nothing queues in front of it. TCP below still guards the network; this decides what we hand to TCP,
and so what can still be overtaken or replaced.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from wslink.session.bursts import Bursts, keep_largest, keep_shortest

KIB = 1024

CHUNK_TIME = 0.02
"""Seconds of the line that a chunk occupies: what a small message waits for at most behind a large one."""
MIN_CHUNK = 16 * KIB
MAX_CHUNK = 4096 * KIB - 4096
FIRST_WINDOW = 64 * KIB
"""Bytes that may be in flight, and are not paced, before the rate is known."""
MIN_WINDOW = 32 * KIB
FAST = 32e6
"""Bytes per second above which nothing is paced and at least `FAST_WINDOW` may be in flight: a chunk of such a line
takes less time than a timer is exact, and TCP alone keeps its queue short."""
FAST_WINDOW = 8192 * KIB

RATE_ROUNDS = 10
"""Round trips that a delivery rate counts for; `CONGESTED_ROUNDS` while the line shows a queue."""
CONGESTED_ROUNDS = 2
RTT_WINDOW = 10.0
"""Seconds that the smallest round trip counts for."""
PROBE_TIME = 0.2
"""Seconds of a probe (ProbeRTT of BBR): next to nothing is in flight where the smallest round trip has not been seen
again for `RTT_WINDOW`. Who shares a line would take what waits of the others for the line's length otherwise, let more
be in flight for it, and so would they. Whoever sees the queue go has a new smallest round trip at the same moment, so
that all probe together the next time."""
STARTUP_GAIN = 2.885
"""2/ln 2, with which pacing lets what is in flight double each round trip: in start-up the window decides."""
STARTUP_WINDOW_GAIN = 1.25
"""What is in flight beyond the line's own room waits in front of it when start-up finds the line's rate, and small
messages behind it. With 2, as in BBR, that was 125 ms on a line of 20 Mbit/s and 80 ms; with 1.25 it is 60 ms. Together
with the two chunks that come on top, what is in flight still grows by 1.3 to 2 each round trip."""
STARTUP_GROWTH = 1.25
STARTUP_ROUNDS = 3
"""Start-up ends after this many round trips in which the rate grew by less than `STARTUP_GROWTH`, and begins again
where it grows by more than that later."""
STARTUP_QUEUE = 1.25
"""Start-up ends, too, when a round trip takes this many times the smallest one, and a chunk."""
TRAIN = 4 * MIN_CHUNK
"""Bytes that must have been acknowledged more slowly than they were sent before that is taken for the line's rate
although the application had no more to send."""
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Gains of the round trips after start-up: look for more, let go of the queue that this made, then cruise."""
DRAIN, CRUISE = 1, 2
"""Where letting go and cruising begin in `CYCLE`."""
DRAIN_ROUNDS = 4
"""Round trips that letting go of a queue takes at most. It ends when no more is in flight than the line holds, or a
chunk."""
QUEUE_ROUNDS = 2
"""Round trips after that in which the queue that the round trips still show has gone already."""
QUEUE = 1.25
"""A queue shows where a round trip takes this many times the smallest one, and two chunks. The rate was overestimated
then, as happens where a busy machine or a radio hands on in bursts what it has held, or the line has become slower:
the rates of `CONGESTED_ROUNDS` count, and the queue is let go of at once, and not once in a cycle."""
WINDOW_GAIN = 1.5
MAX_SENT = 4096
"""Chunks and small messages on their way of which the time is known; beyond that, that of the newest one. The peer
decides when they are acknowledged."""
TIMER = 0.001
"""Seconds by which a send may come early, as timers are no more exact."""


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A chunk on its way, and the state of the line when it went."""

    end: int
    time: float
    delivered: int
    delivered_time: float
    first_time: float
    limited: bool


class CongestionController:
    """Congestion control of one direction of a connection. It reads no clock: callers pass the time.

    Times are seconds of one monotonic clock, sizes bytes, rates bytes per second.

    Args:
        now: the time.

    Attributes:
        sent_bytes: all that was handed to the transport so far.
        delivered: all that the peer acknowledged.
        rtt: the latest round trip, without what the peer held its acknowledgement back; infinite while unknown.
    """

    __slots__ = (
        "_bursts",
        "_cycle",
        "_cycle_start",
        "_delivered_time",
        "_drained",
        "_first_time",
        "_full_rate",
        "_full_rounds",
        "_limited_until",
        "_probe_end",
        "_rates",
        "_release",
        "_round",
        "_round_end",
        "_rtts",
        "_sent",
        "_started",
        "delivered",
        "rtt",
        "sent_bytes",
    )

    def __init__(self, now: float) -> None:
        self.sent_bytes: int = 0
        self.delivered: int = 0
        self.rtt: float = math.inf
        self._sent: deque[_Sent] = deque()
        self._delivered_time = self._first_time = now
        self._rates: deque[tuple[int, float]] = deque()  # (round, rate), rates falling: the first is the largest
        self._rtts: deque[tuple[float, float]] = deque()  # (time, rtt), rtts rising: the first is the smallest
        self._round = 0
        self._round_end = 0
        self._limited_until = -1
        self._release = now
        self._started = self._drained = False
        self._full_rate = 0.0
        self._full_rounds = 0
        self._cycle = 0
        self._cycle_start = now
        self._bursts = Bursts(now)
        self._probe_end: float | None = None  # of a probe; infinite until little is in flight

    # What callers ask ---------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Bytes sent and not acknowledged."""
        return self.sent_bytes - self.delivered

    @property
    def rate(self) -> float:
        """The rate that the line delivers at; 0 while unknown."""
        return self._rates[0][1] if self._rates else 0.0

    @property
    def min_rtt(self) -> float:
        """The line's own round trip, without queues; infinite while unknown."""
        return self._rtts[0][1] if self._rtts else math.inf

    @property
    def window(self) -> int:
        """Bytes that may be in flight. A chunk may go while less are."""
        if not self._rates or not self._rtts:
            return FIRST_WINDOW
        if self._probe_end is not None:
            return self.chunk_size
        gain = WINDOW_GAIN if self._started else STARTUP_WINDOW_GAIN
        room = int(gain * self._bandwidth_delay() + self._bursts.bytes(self.rate)) + 2 * self.chunk_size
        return max(room, FAST_WINDOW if self.rate >= FAST else MIN_WINDOW if self._started else FIRST_WINDOW)

    @property
    def chunk_size(self) -> int:
        """Bytes of the next chunk of a large message: `CHUNK_TIME` of the line."""
        return min(max(int(self.rate * CHUNK_TIME), MIN_CHUNK), MAX_CHUNK)

    def delay(self, now: float) -> float:
        """Seconds until the next chunk may go: 0 for now, infinity for when the peer has acknowledged more."""
        if self.in_flight >= self.window:
            return math.inf
        if not self._started and self.in_flight < FIRST_WINDOW:
            return 0.0
        early = self._release - now
        return early if early > TIMER else 0.0

    # What callers report --------------------------------------------------------

    def sent(self, now: float, size: int, last: bool = False) -> None:
        """`size` bytes were handed to the transport; `last` as `idle`."""
        if not self._sent:
            self._delivered_time = self._first_time = now
        self.sent_bytes += size
        limited = self.delivered <= self._limited_until
        if len(self._sent) >= MAX_SENT:
            self._sent.pop()
        self._sent.append(_Sent(self.sent_bytes, now, self.delivered, self._delivered_time, self._first_time, limited))
        if last or self._probe_end is not None:
            self._limited_until = self.sent_bytes
        rate = self._pacing_rate()
        if rate:
            self._release = max(self._release, now) + size / rate

    def idle(self) -> None:
        """Nothing waits to be sent: for now the application limits the rate, not the line."""
        self._limited_until = self.sent_bytes

    def acknowledged(self, now: float, total: int, held: float = 0.0) -> None:
        """The peer has received `total` bytes so far, and held this acknowledgement back for `held` seconds.

        A `total` beyond what was sent, or no larger than an earlier one, changes nothing.
        """
        if not self.delivered < total <= self.sent_bytes:
            return
        newest: _Sent | None = None
        while self._sent and self._sent[0].end <= total:
            newest = self._sent.popleft()
        burst = self._bursts.acknowledged(now, total - self.delivered, self.rate)
        self.delivered = total
        self._delivered_time = now
        if newest is None:
            return
        if self._started:  # until then the rate is not known well enough
            self._bursts.keep(now, self._round, burst - self.chunk_size)
        self._first_time = newest.time
        stale = self._sample_rtt(now, max(now - newest.time - max(held, 0.0), 1e-6))
        limited = self._sample_rate(now, newest, held)
        self._probe(now, stale and not limited)
        self._count_round(newest, limited)
        if not limited:
            self._check_queue()
        self._advance(now)

    # Estimates ------------------------------------------------------------------

    def _bandwidth_delay(self) -> float:
        return self.rate * self.min_rtt

    def _count_round(self, newest: _Sent, limited: bool) -> None:
        """A round trip ends when a chunk is acknowledged that was sent after the end of the last one."""
        if newest.delivered >= self._round_end:
            self._round += 1
            self._round_end = self.delivered
            if not limited:
                self._check_full()

    def _sample_rtt(self, now: float, rtt: float) -> bool:
        """Take one round trip; whether none of the last `RTT_WINDOW` was as short as the one before them."""
        self.rtt = rtt
        return keep_shortest(self._rtts, now, rtt, RTT_WINDOW)

    def _probe(self, now: float, stale: bool) -> None:
        """Begin a probe, or go on with it, until a round trip has passed since little was in flight."""
        if self._probe_end is None:
            if stale and self._started and self.rate < FAST:
                self._probe_end = math.inf
        elif now >= self._probe_end:
            self._probe_end = None
        elif self._probe_end == math.inf and self.in_flight <= self.chunk_size:
            self._probe_end = now + PROBE_TIME

    def _sample_rate(self, now: float, newest: _Sent, held: float) -> bool:
        """Take one delivery rate: the bytes acknowledged since the chunk was sent, over the longer of the times in
        which they were sent and in which they were acknowledged. Returns whether the application limited it."""
        size = self.delivered - newest.delivered
        acknowledging, sending = max(now - newest.delivered_time - held, 1e-6), newest.time - newest.first_time
        rate = size / max(acknowledging, sending)
        limited = newest.limited and not (size >= TRAIN and 0 < sending < 0.8 * acknowledging)
        if newest.limited and rate < self.rate:
            return limited
        rates = self._rates
        keep_largest(rates, (self._round, rate))
        rounds = CONGESTED_ROUNDS if self._queues() else RATE_ROUNDS
        while rates[0][0] <= self._round - rounds:
            rates.popleft()
        return limited

    def _queues(self) -> bool:
        """Whether the latest round trip shows a queue that we did not mean to make."""
        return self._started and self.rtt > QUEUE * self.min_rtt + 2 * CHUNK_TIME + self._bursts.lateness(self.rate)

    # Gains ------------------------------------------------------------------------

    def _check_full(self) -> None:
        """Whether start-up has found the line's rate, or the line has become faster since."""
        if self.rate >= self._full_rate * STARTUP_GROWTH:
            self._full_rate = self.rate
            self._full_rounds = 0
            self._started = self._drained = False
        elif self._started:
            self._full_rate = min(self._full_rate, max(self.rate, 1.0))
        else:
            self._full_rounds += 1
            self._started = self._full_rounds >= STARTUP_ROUNDS

    def _check_queue(self) -> None:
        """End start-up as soon as a queue shows: the rate follows a round trip later. What the application limits makes
        no queue: a late answer to a small message says nothing about the line's rate."""
        most = STARTUP_QUEUE * self.min_rtt + CHUNK_TIME + self._bursts.lateness(self.rate)
        if not self._started and self.rtt > most:
            self._full_rate = self.rate
            self._started = True

    def _advance(self, now: float) -> None:
        """Go on in the cycle of gains."""
        if not self._started:
            return
        drained = self.in_flight <= max(self._bandwidth_delay(), self.chunk_size)
        lasted = now - self._cycle_start
        if not self._drained:
            self._drained = drained
            self._begin_phase(now, CRUISE)
        elif CYCLE[self._cycle] < 1:
            if drained or lasted >= DRAIN_ROUNDS * self.min_rtt:
                self._begin_phase(now, CRUISE)
        elif self._queues() and not CRUISE <= self._cycle < CRUISE + QUEUE_ROUNDS:
            self._begin_phase(now, DRAIN)
        elif lasted >= self.min_rtt:
            self._begin_phase(now, (self._cycle + 1) % len(CYCLE))

    def _begin_phase(self, now: float, phase: int) -> None:
        self._cycle, self._cycle_start = phase, now

    def _pacing_rate(self) -> float:
        """Bytes per second to send at; 0 for no pacing."""
        rate = self.rate
        if not rate or rate >= FAST:
            return 0.0
        if not self._started:
            return max(rate * STARTUP_GAIN, FIRST_WINDOW / self.min_rtt)
        return rate * (CYCLE[self._cycle] if self._drained else 1 / STARTUP_GAIN)


UNSENT, UNSENT_WHERE_FAST = 128 * KIB, 8192 * KIB
"""Bytes that may wait in the kernel before they are sent. What is on its way does not count, so that the rate of no
line falls; but where a chunk is `LARGE`, refilling so little each time would cost more than the line gains."""
LARGE = 1024 * KIB
AT_ONCE = 256 * KIB
"""Bytes up to which a chunk grows at once, and from which on it doubles at most once in its time: what a line takes in
a moment says how much the kernel holds, and nothing of the line."""
SHORTEST = 0.005
"""Seconds of a line that tell its rate."""


class ChunkSize:
    """The size of the next chunk to a peer that acknowledges nothing, from what the transport takes.

    It follows the rate at which the transport becomes writable again, and doubles while that takes all it is given.

    Attributes:
        size: bytes of the next chunk.
    """

    __slots__ = ("_given", "_grown", "_since", "size")

    def __init__(self) -> None:
        self.size: int = FIRST_WINDOW
        self._given = 0
        self._since: float | None = None
        self._grown = 0.0

    def given(self, size: int) -> None:
        """A frame of `size` bytes was given to the transport."""
        self._given += size

    def taken(self, now: float) -> None:
        """What was given was a whole chunk, and the transport is still writable."""
        self._follow(now, 2 * self.size)

    def resumed(self, now: float) -> None:
        """The transport is writable again."""
        if self._since is not None:
            if now < self._since + SHORTEST:
                return
            self._follow(now, int(self._given / (now - self._since) * CHUNK_TIME))
        self._since = now
        self._given = 0

    def _follow(self, now: float, size: int) -> None:
        if size > max(self.size, AT_ONCE):
            if now < self._grown + CHUNK_TIME:
                return
            self._grown = now
            size = min(size, 2 * max(self.size, AT_ONCE))
        self.size = min(max(size, MIN_CHUNK), MAX_CHUNK)

    def idle(self) -> None:
        """Nothing waits: until more does, time says nothing of the line."""
        self._since = None
        self._given = 0

    @property
    def unsent(self) -> int:
        """Bytes that may wait in the kernel."""
        return UNSENT if self.size < LARGE else UNSENT_WHERE_FAST
