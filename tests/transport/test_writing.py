"""Frames that are written by coroutines: at once where nothing waits (TURN-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from wslink.transport.writing import Writer
from wslink.wire.frames import Frame, text_frame


class Line:
    """What a Writer writes to; frames of "wait" wait until it is let go on."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.tasks: list[asyncio.Task[None] | None] = []
        self.on_write: Callable[[], None] = lambda: None
        self.free = asyncio.Event()
        self.writer = Writer(self.write, lambda: None)

    async def write(self, frame: Frame) -> None:
        text = bytes(frame.joined()).decode()
        self.tasks.append(asyncio.current_task())
        async with asyncio.timeout(5) if hasattr(asyncio, "timeout") else asyncio.Lock():
            if text.startswith("wait"):
                await self.free.wait()
        self.taken.append(text)
        on_write, self.on_write = self.on_write, lambda: None
        on_write()

    def send(self, *texts: str) -> None:
        for text in texts:
            self.writer.send(text_frame(text.encode()))


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()

    async def live() -> None:
        await asyncio.Event().wait()

    line.writer.owner = owner = asyncio.ensure_future(live())
    yield line
    line.writer.stop()
    owner.cancel()


async def test_what_nothing_waits_before_is_written_at_once_as_its_owners_task(line: Line) -> None:
    mine = asyncio.current_task()
    line.send("one", "two")
    assert line.taken == ["one", "two"]
    assert line.tasks == [line.writer.owner] * 2
    assert asyncio.current_task() is mine
    loop, late = asyncio.get_running_loop(), asyncio.Event()
    loop.call_soon(lambda: (line.send("from no task"), late.set()))
    await late.wait()
    assert line.taken[-1] == "from no task"
    assert (line.writer.waiting, line.writer.written) == (0, 3 + 3 + 12)


async def test_what_waits_keeps_its_order(line: Line) -> None:
    line.send("one", "wait", "two")
    assert (line.taken, line.writer.waiting) == (["one"], 7)
    line.writer.add(line.free.wait)  # type: ignore[arg-type]
    line.send("three")
    await asyncio.sleep(0.01)
    assert line.taken == ["one"]
    line.free.set()
    await line.writer.flushed(5)
    assert line.taken == ["one", "wait", "two", "three"]
    line.send("four")
    assert (line.taken[-1], line.writer.waiting) == ("four", 0)


async def test_what_is_sent_while_a_frame_is_written_comes_after_it(line: Line) -> None:
    line.on_write = lambda: line.send("two", "three")
    line.send("one")
    assert line.taken == ["one"]
    line.send("four")
    await line.writer.flushed(5)
    assert line.taken == ["one", "two", "three", "four"]


async def test_without_an_owner_frames_are_written_by_a_task(line: Line) -> None:
    line.writer.owner = None
    line.send("one", "two")
    assert line.taken == []
    await line.writer.flushed(5)
    assert line.taken == ["one", "two"]


async def test_a_write_that_is_cancelled_while_it_waits_sees_it(line: Line) -> None:
    line.send("wait")
    await asyncio.sleep(0)
    line.writer.stop()
    await line.writer.flushed(5)
    line.free.set()
    await asyncio.sleep(0)
    assert line.taken == []
