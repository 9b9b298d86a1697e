"""Rate, round-trip time and window of one direction of a connection, estimated from the peer's acknowledgements.

The model is that of BBR (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14/5, 2016), applied to
messages: the highest delivery rate and the shortest round trip of the recent past tell how much has to be in flight to
keep the line busy while hardly anything queues in front of it. TCP below still protects the network; this decides what
is handed to TCP, and so what can still be overtaken or replaced.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from wslink.session.bursts import Bursts, keep_largest, keep_shortest

KIB = 1024

CHUNK_TIME = 0.02
"""Seconds of the line that a chunk occupies: the longest that a small message waits behind a large one."""
MIN_CHUNK = 16 * KIB
MAX_CHUNK = 4096 * KIB - 4096
FIRST_WINDOW = 64 * KIB
"""Bytes that may be in flight, without pacing, before the rate is known."""
MIN_WINDOW = 32 * KIB
FAST = 32e6
"""Bytes per second above which nothing is paced and at least `FAST_WINDOW` may be in flight. On such a line a chunk
takes less time than the resolution of timers, and TCP alone keeps its queue short."""
FAST_WINDOW = 8192 * KIB

RATE_ROUNDS = 10
"""Round trips for which a delivery rate counts; `CONGESTED_ROUNDS` while there is a queue."""
CONGESTED_ROUNDS = 2
RTT_WINDOW = 10.0
"""Seconds for which the shortest round trip counts."""
PROBE_TIME = 0.2
"""Seconds of a probe (ProbeRTT of BBR). If the shortest round trip has not been seen again for `RTT_WINDOW`, hardly
anything is in flight for this long.

Without probes, connections that share a line would mistake each other's queues for the line's length, and each would
put more in flight for that. All that see the queue disappear measure a new shortest round trip at the same moment, so
that their next probes coincide.
"""
STARTUP_GAIN = 2.885
"""2/ln 2: with this pacing gain, what is in flight can double each round trip. During start-up the window is the
limit."""
STARTUP_WINDOW_GAIN = 1.25
"""What is in flight beyond the line's capacity queues in front of it when start-up has found the line's rate, and
delays small messages. With BBR's gain of 2 the delay was 125 ms on a line of 20 Mbit/s and 80 ms; with 1.25 it is 60
ms. Together with two more chunks, what is in flight still grows by a factor of 1.3 to 2 each round trip."""
STARTUP_GROWTH = 1.25
STARTUP_ROUNDS = 3
"""Start-up ends after this many round trips in which the rate grew by less than `STARTUP_GROWTH`. It starts over if the
rate grows by more than that later."""
STARTUP_QUEUE = 1.25
"""Start-up also ends when a round trip takes this many times the shortest one, plus a chunk."""
TRAIN = 4 * MIN_CHUNK
"""Bytes that must have been acknowledged more slowly than they were sent for this to count as the line's rate even if
the application had nothing more to send."""
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Gains of the round trips after start-up: probe for more bandwidth, drain the queue that this has caused, then
cruise."""
DRAIN, CRUISE = 1, 2
"""The indices in `CYCLE` at which draining and cruising begin."""
DRAIN_ROUNDS = 4
"""The most round trips that draining takes. It ends when no more is in flight than the line holds, or than a chunk."""
QUEUE_ROUNDS = 2
"""Round trips after draining in which round-trip times still show the queue that has already gone."""
QUEUE = 1.25
"""There is a queue if a round trip takes this many times the shortest one, plus two chunks. The rate was overestimated
then, as when a busy machine or a radio link forwards in bursts what it has held back, or the line has become slower.
Only the rates of the last `CONGESTED_ROUNDS` count then, and the queue is drained at once instead of once in a
cycle."""
WINDOW_GAIN = 1.5
MAX_SENT = 4096
"""Chunks and small messages on their way of which the time is known; beyond that, that of the newest one. The peer
decides when they are acknowledged."""
TIMER = 0.001
"""Seconds by which a send may come early: the resolution of timers."""


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A chunk in flight, and the state of the line when it was sent."""

    end: int
    time: float
    delivered: int
    delivered_time: float
    first_time: float
    limited: bool


class CongestionController:
    """Congestion control for one direction of a connection. It reads no clock: callers pass the time.

    Times are seconds of one monotonic clock, sizes are in bytes, rates in bytes per second.

    Args:
        now: the current time.

    Attributes:
        sent_bytes: all bytes handed to the transport so far.
        delivered: all bytes that the peer has acknowledged.
        rtt: the latest round-trip time, without the time for which the peer delayed its acknowledgement; infinite while
            unknown.
    """

    __slots__ = (
        "_bursts", "_cycle", "_cycle_start", "_delivered_time", "_drained", "_dry", "_first_time", "_full_rate",
        "_full_rounds", "_limited_until", "_probe_end", "_rates", "_release", "_round", "_round_end", "_rtts",
        "_sent", "_started", "delivered", "rtt", "sent_bytes",
    )  # fmt: skip

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
        self._dry = False  # nothing was in flight after the latest acknowledgement, though more was waiting
        self._probe_end: float | None = None  # of a probe; infinite until little is in flight

    # What callers ask ---------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Bytes that were sent and are not yet acknowledged."""
        return self.sent_bytes - self.delivered

    @property
    def rate(self) -> float:
        """The rate at which the line delivers; 0 while unknown."""
        return self._rates[0][1] if self._rates else 0.0

    @property
    def min_rtt(self) -> float:
        """The round-trip time of the line itself, without queues; infinite while unknown."""
        return self._rtts[0][1] if self._rtts else math.inf

    @property
    def window(self) -> int:
        """Bytes that may be in flight. A chunk may be sent while there are fewer."""
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
        """Seconds until the next chunk may be sent; infinite until the peer has acknowledged more."""
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
        """Nothing is waiting to be sent: for now the rate is limited by the application, not by the line."""
        self._limited_until = self.sent_bytes

    def acknowledged(self, now: float, total: int, held: float = 0.0) -> None:
        """The peer has received `total` bytes so far, and delayed this acknowledgement for `held` seconds.

        A `total` beyond what was sent, or not above an earlier one, is ignored.
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
        self._first_time = newest.time
        stale = self._sample_rtt(now, max(now - newest.time - max(held, 0.0), 1e-6))
        limited = self._sample_rate(now, newest, held)
        self._dry = not (limited or self._sent or self._probe_end is not None)
        if self._started:  # until then the rate is not known well enough
            self._bursts.keep(now, self._round, (2 * burst if self._dry else burst) - self.chunk_size)
        self._probe(now, stale and not limited)
        self._count_round(newest, limited)
        if not limited:
            self._check_queue(now)
        self._advance(now)

    # Estimates ------------------------------------------------------------------

    def _bandwidth_delay(self) -> float:
        return self.rate * self.min_rtt

    def _count_round(self, newest: _Sent, limited: bool) -> None:
        """A round trip ends when a chunk is acknowledged that was sent after the end of the previous one."""
        if newest.delivered >= self._round_end:
            self._round += 1
            self._round_end = self.delivered
            if not limited:
                self._check_full()

    def _sample_rtt(self, now: float, rtt: float) -> bool:
        """Record a round-trip time, and return whether the shortest one has expired."""
        self.rtt = rtt
        return keep_shortest(self._rtts, now, rtt, RTT_WINDOW)

    def _probe(self, now: float, stale: bool) -> None:
        """Begin a probe, or continue it until a round trip has passed with hardly anything in flight."""
        if self._probe_end is None:
            if stale and self._started and self.rate < FAST:
                self._probe_end = math.inf
        elif now >= self._probe_end:
            self._probe_end = None
        elif self._probe_end == math.inf and self.in_flight <= self.chunk_size:
            self._probe_end = now + PROBE_TIME

    def _sample_rate(self, now: float, newest: _Sent, held: float) -> bool:
        """Record a delivery rate: the bytes acknowledged since the chunk was sent, over the time it took to send or to
        acknowledge them, whichever is longer. Returns whether the application limited the rate."""
        size = self.delivered - newest.delivered
        acknowledging, sending = max(now - newest.delivered_time - held, 1e-6), newest.time - newest.first_time
        rate = size / max(acknowledging, sending)
        limited = newest.limited and not (size >= TRAIN and 0 < sending < 0.8 * acknowledging)
        if newest.limited and rate < self.rate:
            return limited
        rates = self._rates
        keep_largest(rates, (self._round, rate))
        rounds = CONGESTED_ROUNDS if self._queues(now) else RATE_ROUNDS
        while rates[0][0] <= self._round - rounds:
            rates.popleft()
        return limited

    def _queues(self, now: float) -> bool:
        """Whether the latest round trip shows an unintended queue."""
        return self._started and self._late(now, QUEUE * self.min_rtt + 2 * CHUNK_TIME)

    def _late(self, now: float, most: float) -> bool:
        """Whether the latest round trip took longer than `most`, and what is still in flight is late, too. If it is
        not, the peer was busy, and has now acknowledged all that had arrived in the meantime: there is no queue."""
        if self.rtt <= most + self._bursts.lateness(self.rate):
            return False
        return bool(self._sent) and now - self._sent[0].time > most - CHUNK_TIME

    # Gains ------------------------------------------------------------------------

    def _check_full(self) -> None:
        """Check whether start-up has found the line's rate, or the line has become faster since."""
        if self.rate >= self._full_rate * STARTUP_GROWTH:
            self._full_rate = self.rate
            self._full_rounds = 0
            self._started = self._drained = False
        elif self._started:
            self._full_rate = min(self._full_rate, max(self.rate, 1.0))
        else:
            self._full_rounds += 1
            self._started = self._full_rounds >= STARTUP_ROUNDS

    def _check_queue(self, now: float) -> None:
        """End start-up as soon as there is a queue: the rate follows a round trip later. Not called for what the
        application limits: a late response to a small message says nothing about the line's rate."""
        if not self._started and self._late(now, STARTUP_QUEUE * self.min_rtt + CHUNK_TIME):
            self._full_rate = self.rate
            self._started = True

    def _advance(self, now: float) -> None:
        """Proceed in the cycle of gains."""
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
        elif self._queues(now) and not CRUISE <= self._cycle < CRUISE + QUEUE_ROUNDS:
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
        if self._dry:  # the line has stood idle, since a busy peer took more than what was in flight
            return rate * STARTUP_GAIN
        return rate * (CYCLE[self._cycle] if self._drained else 1 / STARTUP_GAIN)
