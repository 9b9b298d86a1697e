"""Frames that are written by coroutines: at once where nothing waits before them, and else by a task, in turns.

What is written at once counts for whoever had it sent: nobody's publications can pile up in front of a client that
reads, and its responses pass through no further turn of the event loop.
"""

from __future__ import annotations

import asyncio
import functools
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from wslink.transport.private_asyncio import run_step
from wslink.transport.turns import Share
from wslink.wire.frames import Frame

LOOK_EVERY = 4
"""Frames that are written before the clock is asked."""

Write = Callable[[Frame], Coroutine[Any, Any, None]]


class Writer:
    """Writes one connection's frames, one after the other.

    Args:
        write: writes a frame.
        wrote: called after each that had to wait, or what else did.

    Attributes:
        owner: the task as which a frame is written at once, so that a write which asks for its task, as a timeout does,
            finds one: that of the connection. Where it is None no frame is.
        held: whether no frame is written at once for now: of messages that came together only the response to the first
            is, since each that is written alone wakes the other end.
        waiting: bytes of frames that have not been written.
        written: bytes of those that have.
    """

    def __init__(self, write: Write, wrote: Callable[[], None]) -> None:
        self.owner: asyncio.Task[Any] | None = None
        self.held: bool = False
        self.waiting: int = 0
        self.written: int = 0
        self._write = write
        self._wrote = wrote
        self._queue: deque[Frame | tuple[Callable[[], Awaitable[None]], int]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._share: Share | None = None
        self._busy = False  # whether something is being written, or a task is to

    def send(self, frame: Frame) -> None:
        """Write a frame."""
        owner = self.owner
        if self._busy or self.held or owner is None or owner.done():
            self._queue.append(frame)
            self.waiting += frame.size
            self._go_on()
            return
        self._busy = True
        try:
            rest = _begun(self._write(frame), owner)
        finally:
            self._busy = False
        if rest is not None:
            self._queue.appendleft((lambda: rest, frame.size))  # something may have been sent meanwhile
            self.waiting += frame.size
        else:
            self.written += frame.size
        self._go_on()

    def add(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something after what waits, such as to close. What it raises ends all writing."""
        self._queue.append((action, 0))
        self._go_on()

    def _go_on(self) -> None:
        if self._queue and not self._busy:
            self._busy = True
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        share = self._share = self._share or Share()
        try:
            while self._queue:
                share.begin()
                for _ in range(min(LOOK_EVERY, len(self._queue))):
                    first = self._queue.popleft()
                    if isinstance(first, Frame):
                        size = first.size
                        await self._write(first)
                    else:
                        action, size = first
                        await action()
                    self.waiting -= size
                    self.written += size
                    self._wrote()
                if share.is_over():
                    await share.turn()
        finally:
            self._busy = False

    async def flushed(self, timeout: float | None = None) -> None:
        """Wait until all is written. At once in what is written itself: it would wait for itself."""
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait({self._task}, timeout=timeout)

    def stop(self) -> None:
        """Write nothing more. Called again once writing has ended, it lets go of what it was made of: what a connection
        holds is not left to the garbage collector."""
        self._queue.clear()
        self.owner = None
        if self._task is not None and not self._task.done():
            self._task.cancel()
        else:
            self._task = None  # whose error would hold all that it came through
            self._write, self._wrote = _write_nothing, _nothing


async def _write_nothing(frame: Frame) -> None:
    """What is written once the connection has ended."""


def _nothing() -> None: ...


def _begun(coroutine: Coroutine[Any, Any, None], task: asyncio.Task[Any]) -> Awaitable[None] | None:
    """Run a coroutine until it waits for something; what is left of it, if it did."""
    try:
        waits = run_step(coroutine, task)
    except StopIteration:
        return None
    return _rest(coroutine, waits)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waits: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that waits for something."""
    while True:
        try:
            value = yield waits
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step = functools.partial(coroutine.throw, error)
        else:
            step = functools.partial(coroutine.send, value)
        try:
            waits = step()
        except StopIteration:
            return
