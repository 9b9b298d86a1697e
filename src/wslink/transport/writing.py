"""Frames that are written by coroutines: immediately if nothing is waiting, or else by a task, in turns.

What is written immediately counts for whoever sent it: a publisher cannot pile up data in front of a client that reads,
and responses need no further turn of the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
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
    """Writes one connection's frames in order.

    Args:
        write: writes a frame.
        wrote: called after each frame or function that had to wait.

    Attributes:
        owner: the task in whose name frames are written immediately, so that `asyncio.current_task` works in a write:
            the connection's, or after `last` the task that continues waiting writes. If it is None, no frame is written
            immediately.
        held: whether no frame may be written immediately for now: of messages that arrived together only the first
            response is, since each separate write wakes up the peer.
        waiting: bytes of frames that have not been written.
        written: bytes of frames that have been written.
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
        self._lasts = False  # whether the task waits for more when all is written
        self._news: asyncio.Future[None] | None = None  # what it waits for then
        self._rest: _Rest | None = None  # what is left of a frame that was written at once
        self._context = contextvars.copy_context()  # in which frames are written at once, whoever had them sent
        self._share: Share | None = None
        self._busy = False  # whether something is being written, or a task is to

    def last(self) -> None:
        """Write frames immediately, using one task that lasts until `stop` and also continues waiting writes: a timeout
        or a cancel scope that a write has entered has to be left by the same task."""
        self._lasts = self._busy = True
        self._task = asyncio.get_running_loop().create_task(self._run())

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
            self._begin(frame, owner)
        finally:
            self._busy = False
            self._go_on()  # something may have been sent meanwhile

    def _begin(self, frame: Frame, owner: asyncio.Task[Any]) -> None:
        """Write a frame until it waits for something; the rest then comes first."""
        coroutine = self._write(frame)
        try:
            waits = self._context.run(run_step, coroutine, owner)
        except StopIteration:
            self.written += frame.size
            return
        self._rest = rest = _Rest(coroutine, waits, self._context)
        self._queue.appendleft((rest.run, frame.size))
        self.waiting += frame.size

    def add(self, action: Callable[[], Awaitable[None]]) -> None:
        """Call a function after what is waiting, for example to close. An exception stops all writing."""
        self._queue.append((action, 0))
        self._go_on()

    def _go_on(self) -> None:
        if self._queue and not self._busy:
            self._busy = True
            if self._news is None or self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._run())
            elif not self._news.done():
                self._news.set_result(None)

    async def _run(self) -> None:
        await self._write_queue()
        while self._lasts:
            await self._wait()
            await self._write_queue()

    async def _wait(self) -> None:
        """Wait until something has to be written, as the task in whose name frames are written immediately."""
        self.owner = asyncio.current_task()
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        except asyncio.CancelledError as error:
            if self._rest is None:
                raise
            self._rest.error = error  # of what was begun as this task, such as its timeout

    async def _write_queue(self) -> None:
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
                        self._rest = None
                        await action()
                    self.waiting -= size
                    self.written += size
                    self._wrote()
                if share.is_over():
                    await share.turn()
        finally:
            self._busy = False

    async def flushed(self, timeout: float | None = None) -> None:
        """Wait until everything has been written. Returns at once in a function that is itself being written, to avoid
        a deadlock."""
        task = self._task
        if task is None or task is asyncio.current_task() or not self._busy:
            return
        ends: set[asyncio.Future[None]] = {task}
        if self._lasts:
            ends.add(written := asyncio.get_running_loop().create_future())

            async def tell() -> None:
                if not written.done():
                    written.set_result(None)

            self.add(tell)
        await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    def stop(self) -> None:
        """Stop writing. When it has stopped, references are dropped, so that a connection's objects are not left to the
        garbage collector."""
        self._queue.clear()
        self.owner, self._lasts = None, False
        if self._task is None or self._task.done():
            self._let_go()
            return
        if self._rest is not None:
            self._queue.append((self._rest.run, 0))  # so that it is told
        self._task.cancel()
        self._task.add_done_callback(self._let_go)

    def _let_go(self, _: object = None) -> None:
        self._task = None  # whose error would hold all that it came through
        self._write, self._wrote = _write_nothing, _nothing


async def _write_nothing(frame: Frame) -> None:
    """Replaces `write` once the connection has ended."""


def _nothing() -> None: ...


class _Rest:
    """The rest of a coroutine that is waiting for something.

    Attributes:
        error: raised in the coroutine instead of waiting any longer.
    """

    __slots__ = ("_context", "_coroutine", "_waits", "error")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits: Any, context: contextvars.Context) -> None:
        self._coroutine, self._waits, self._context = coroutine, waits, context
        self.error: BaseException | None = None

    @types.coroutine
    def run(self) -> Generator[Any, Any, None]:
        """Continue it, in its context."""
        coroutine, waits, error = self._coroutine, self._waits, self.error
        if error is not None and waits is not None:
            waits.cancel()
        while True:
            try:
                if error is not None:
                    step = functools.partial(coroutine.throw, error)
                else:
                    step = functools.partial(coroutine.send, (yield waits))
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as raised:
                step = functools.partial(coroutine.throw, raised)
            try:
                waits, error = self._context.run(step), None
            except StopIteration:
                return
