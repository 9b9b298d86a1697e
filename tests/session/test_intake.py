"""The turns in which clients' frames are taken (TURN-1, LIM-16)."""

from __future__ import annotations

import asyncio
import time

import pytest

from wslink.session import intake
from wslink.session.intake import CREDIT, Intake, Turns
from wslink.session.state import OPEN, State
from wslink.wire.frames import Buffer


class Client:
    """A session and its transport: takes each frame in so many seconds."""

    def __init__(self, turns: Turns, seconds: float = 0.0) -> None:
        self.credit = CREDIT
        self.state: State = OPEN
        self.taken: list[bytes] = []
        self.log: list[str] = []
        self.behind = False
        self.awaits_response = False
        self.intake = Intake(self, self, turns, lambda: self.behind, 1_000_000)
        self._seconds = seconds

    def receive(self, binary: bool, data: Buffer | str) -> None:
        self.credit -= 1
        if self.credit < 0 and self.intake.holds(binary, data):
            return
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            pass
        self.taken.append(bytes(data))  # type: ignore[arg-type]

    def cork(self) -> None:
        self.log.append("cork")

    def uncork(self) -> None:
        self.log.append("uncork")

    def pause_reading(self) -> None:
        self.log.append("pause")

    def resume_reading(self) -> None:
        self.log.append("resume")

    def hears(self, on: bool) -> None:
        assert self.log[-1] == ("resume" if on else "pause")

    def close(self, code: int, reason: str) -> None:
        self.log.append(f"close {code} {reason}")


def frames(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_all_frames_are_taken_once_and_in_order() -> None:
    client = Client(Turns(), 0.0005)
    for frame in frames(500):
        client.receive(True, memoryview(bytearray(frame)))
    assert 0 < len(client.taken) < 100
    while len(client.taken) < 500:
        await asyncio.sleep(0)
    assert client.taken == frames(500)


async def test_a_client_that_sends_little_in_each_turn_never_waits() -> None:
    client = Client(Turns())
    for frame in frames(1000):
        client.receive(True, frame)
        assert client.taken[-1] == frame
        await asyncio.sleep(0)
    assert client.log == []


async def test_the_event_loop_is_free_again_soon() -> None:
    turns = Turns()
    clients = [Client(turns, 0.0005) for _ in range(20)]
    for client in clients:
        for frame in frames(100):
            client.receive(True, frame)
    longest = 0.0
    while any(len(client.taken) < 100 for client in clients):
        start = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - start)
    assert longest < 0.1
    assert all(client.taken == frames(100) for client in clients)


async def test_clients_take_turns() -> None:
    turns = Turns()
    greedy, modest = Client(turns, 0.001), Client(turns, 0.001)
    for frame in frames(400):
        greedy.receive(True, frame)
    for frame in frames(40):
        modest.receive(True, frame)
    while len(modest.taken) < 40:
        await asyncio.sleep(0)
    assert len(greedy.taken) < 200


async def test_nothing_is_taken_from_a_client_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PAUSE_ABOVE", 1000)
    monkeypatch.setattr(intake, "RESUME_BELOW", 100)
    client = Client(Turns())
    client.behind, client.credit = True, -1
    for frame in frames(5):
        client.receive(True, frame)
    assert (client.taken, client.log) == ([], [])
    for frame in frames(20)[5:]:
        client.receive(True, frame)
    assert (client.taken, client.log) == ([], ["pause"])
    client.behind = False
    client.intake.wake()
    while len(client.taken) < 20:
        await asyncio.sleep(0)
    assert client.taken == frames(20)
    assert client.log == ["pause", "cork", "uncork", "resume"]


async def test_reading_goes_on_where_the_last_frame_put_it_behind() -> None:
    client = Client(Turns())
    client.behind, client.credit = True, -1
    client.receive(True, bytes(500_000))
    assert client.log == ["pause"]
    client.intake._frames.clear()
    client.behind = False
    client.intake.wake()
    client.intake.waiting = 0
    await asyncio.sleep(0.01)
    assert client.log[-1] == "resume"


async def test_what_waits_is_bounded() -> None:
    client = Client(Turns())
    client.behind, client.credit = True, -1
    for _ in range(9):
        client.receive(True, bytes(100_000))
    assert not any("close" in line for line in client.log)
    client.receive(True, bytes(100_000))
    client.receive(True, bytes(100_000))
    assert "close 1008 over max_held (1000000 bytes)" in " ".join(client.log)
