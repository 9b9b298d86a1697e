"""What is handed to a connection whose client acknowledges nothing, by what the connection takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.session.queueing import MIB, large, small
from wslink.session import sender as sending
from wslink.session.chunk_size import UNSENT
from wslink.session.entries import Entry
from wslink.session.sender import Sender
from wslink.wire.chunks import HEADER, HEADER_LENGTH, Cutter, whole_source
from wslink.wire.frames import Frame


class Kernel:
    """A connection of which the kernel takes the first bytes at once, and then as many per second as the line does."""

    def __init__(self, room: int, rate: float) -> None:
        self.now = 100.0
        self.room = room
        self.rate = rate
        self.held = 0
        self.sizes: list[int] = []
        self.limits: list[int] = []

    @property
    def writable(self) -> bool:
        return self.held < self.room

    def send(self, frames: Sequence[Frame]) -> None:
        self.sizes += [frame.size for frame in frames]
        self.held += sum(frame.size for frame in frames)

    def limit_unsent(self, limit: int) -> None:
        self.limits.append(limit)

    def drain(self, seconds: float) -> None:
        self.now += seconds
        self.held = max(self.held - int(seconds * self.rate), 0)

    def until_writable(self) -> None:
        self.drain((self.held - self.room + 100_000) / self.rate)


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], Sender]:
    def make(kernel: Kernel) -> Sender:
        monkeypatch.setattr(sending, "monotonic", lambda: kernel.now)
        return Sender(kernel, 1 << 30)

    return make


@pytest.mark.parametrize("room", [MIB, 6 * MIB, 20 * MIB])
def test_what_the_kernel_takes_at_once_does_not_make_chunks_large(over: Callable[[Kernel], Sender], room: int) -> None:
    """LANE-1: a small message does not wait for seconds behind a chunk on a line whose kernel holds megabytes."""
    kernel = Kernel(room, 2.5e6)
    sender = over(kernel)
    sender.put(Entry(large("L", 32 * MIB)))
    assert max(kernel.sizes) <= MIB // 2
    for _ in range(3):
        kernel.until_writable()
        sender.resume()
    assert set(kernel.limits) == {UNSENT}
    kernel.sizes.clear()
    sender.put(Entry(small("now")))
    kernel.until_writable()
    sender.resume()
    assert kernel.sizes[0] == len("now")
    assert max(kernel.sizes) <= 100_000


def test_chunks_grow_large_where_all_is_taken(over: Callable[[Kernel], Sender]) -> None:
    """LANE-1."""
    kernel = Kernel(1 << 40, 1e9)
    sender = over(kernel)
    for _ in range(8):
        sender.put(Entry(large("L", 16 * MIB)))
        kernel.drain(0.03)
    assert kernel.sizes[-2] > 4_000_000


def test_chunks_grow_with_the_rate_of_a_fast_line(over: Callable[[Kernel], Sender]) -> None:
    """LANE-1."""
    kernel = Kernel(4 * MIB, 1e9)
    sender = over(kernel)
    sender.put(Entry(large("L", 128 * MIB)))
    for _ in range(300):
        kernel.until_writable()
        sender.resume()
    assert max(kernel.sizes) > 4_000_000


def test_a_moment_in_which_a_slow_line_takes_much_does_not_make_chunks_large(over: Callable[[Kernel], Sender]) -> None:
    """LANE-1: as where the kernel hands on at once what it has held."""
    kernel = Kernel(MIB, 2.5e6)
    sender = over(kernel)
    sender.put(Entry(large("L", 32 * MIB)))
    for _ in range(3):
        kernel.until_writable()
        sender.resume()
    for _ in range(10):
        kernel.held = 0
        kernel.now += 0.0001
        kernel.sizes.clear()
        sender.resume()
        assert max(kernel.sizes) <= MIB // 2


def test_a_message_that_a_chunk_may_hold_goes_as_one_without_waiting(over: Callable[[Kernel], Sender]) -> None:
    """As soon as the line is known to be so fast, and nothing else waits; on a line that is not it is cut (LANE-1)."""
    kernel = Kernel(64 * MIB, 1e9)
    sender = over(kernel)
    message = large("L", MIB)
    assert not sender.send_whole(message)
    assert not kernel.sizes
    while sender.queue.waiting or not sender.send_whole(message):
        sender.put(Entry(large("L", MIB)))
        kernel.drain(0.03)
        sender.resume()
    assert kernel.sizes[-1] == message.size
    assert not sender.send_whole(large("L", 5 * MIB))  # no chunk is so large
    kernel.held = kernel.room
    assert not sender.send_whole(message)
    sender.put(Entry(large("L", MIB)))
    kernel.held = 0
    assert not sender.send_whole(message)  # it would pass what waits


async def test_a_large_message_takes_some_two_milliseconds_of_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """TURN-1: also where all of it is taken at once."""

    class Busy(Kernel):
        """Of which each MiB takes the third of a millisecond."""

        def send(self, frames: Sequence[Frame]) -> None:
            super().send(frames)
            self.now += sum(frame.size for frame in frames) / MIB / 3000

    kernel = Busy(1 << 40, 1e9)
    monkeypatch.setattr(sending, "monotonic", lambda: kernel.now)
    sender = Sender(kernel, 1 << 30, again=lambda: sender.pump())
    sizes: list[int] = []
    for _ in range(8):
        sender.put(Entry(large("L", 64 * MIB)))
        while sender.queue.waiting:
            sizes.append(sum(kernel.sizes))
            kernel.sizes.clear()
            await asyncio.sleep(0)
        kernel.now += 0.03
    assert 4 * MIB < max(sizes) <= 12 * MIB


def test_a_message_of_one_chunk_holds_what_is_sent_in_several() -> None:
    message = large("L", MIB)
    assert message.source is not None
    whole = whole_source(message.source).joined()
    number, offset, total = HEADER.unpack_from(whole)
    assert (number > 0, offset, total) == (True, 0, len(whole) - HEADER_LENGTH)
    pieces = [frame.joined()[HEADER_LENGTH:] for frame in Cutter(message.source)]
    assert whole[HEADER_LENGTH:] == b"".join(pieces)
