"""Methods that stream their results, and how their items are produced wherever a method runs (STR)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import suppress

import msgspec

from wslink.errors import RAISED, RESULT_SERIALIZE_ERROR, MethodError, NotSerializable
from wslink.rpc.call import Call, Executor, current_call
from wslink.rpc.interceptors import Function
from wslink.rpc.ordering import ResponseFirst
from wslink.rpc.streams import CallStreams, Inlet, Outlet
from wslink.wire.extensions import read_stream_key
from wslink.wire.messages import Request
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

TURN = 32
"""Items of a stream after which the event loop runs other work."""
UNDELIVERED = 4
"""Items that a thread may be ahead of the event loop."""
_DONE = object()


class Serving(msgspec.Struct, frozen=True):
    """The streams of a call that is being served, and what its method needs to run (`Call.streams`)."""

    streams: CallStreams
    ordering: ResponseFirst
    executors: Mapping[str, Executor]


SMALL_TEXT, SMALL_CALL = 256, 64
"""The bounds on a small call: characters or bytes of an argument, and the number of arguments (STR-6)."""


def is_small(request: Request) -> bool:
    """Whether a call needs little memory while it waits."""
    values = [*request.args, *request.kwargs.values()]
    return len(values) <= SMALL_CALL and all(map(_is_small, values))


def _is_small(value: Value) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) <= SMALL_TEXT
    return isinstance(value, (int, float, type(None))) or read_stream_key(value) is not None


async def feed(
    source: AsyncIterable[Value],
    outlet: Outlet,
    before: Callable[[], None] | None = None,
    send: Callable[[Value], None] | None = None,
) -> None:
    """Send the items of `source`, and close it at the end, or earlier if sending fails.

    Args:
        source: the items. The next one is requested when it may be sent.
        outlet: sends them.
        before: called before each item is sent.
        send: sends an item; `outlet.send` unless given.

    Raises:
        NotSerializable: an item cannot be encoded.
        PeerError: see Outlet.wait.
        Exception: whatever `source` raises.
    """
    iterator, send = aiter(source), send or outlet.send
    try:
        while True:
            if not outlet.room:
                await outlet.wait()
            try:
                value = await anext(iterator)
            except StopAsyncIteration:
                return
            if before is not None:
                before()
            send(value)
            if not outlet.sent % TURN:
                await asyncio.sleep(0)
    finally:
        await _close(iterator)


async def _close(iterator: AsyncIterator[Value]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


def streaming(function: Function, run: str) -> Function:
    """Return the function that is called instead of `function`, a generator method: it sends the items, and returns
    None."""

    @functools.wraps(function)
    async def stream(*args: Value, **kwargs: Value) -> None:
        call = current_call.get()
        assert call is not None
        assert call.streams is not None
        serving: Serving = call.streams
        ordering, outlet = serving.ordering, serving.streams.outlets[None]
        executor = serving.executors.get(run)
        if executor is not None:
            args, kwargs = brought(args, kwargs)  # type: ignore[assignment]
        made = function(*args, **kwargs)
        if inspect.isawaitable(made):
            made = await made
        try:
            if isinstance(made, AsyncIterable):
                before = functools.partial(_before_item, ordering, call)
                if executor is None:
                    await feed(made, outlet, before)
                else:
                    await feed(_MadeElsewhere(aiter(made), executor, outlet), outlet, before, outlet.send_encoded)
            else:
                await _Steps(made, outlet, ordering, call).drive(executor or _here)
        except NotSerializable as error:
            logger.error("an item of the stream %s cannot be sent: %s", call.method, error)
            what = f"item {outlet.sent} of the stream cannot be serialized"
            raise MethodError(what, call.method, RESULT_SERIALIZE_ERROR) from error

    return stream


def _before_item(ordering: ResponseFirst, call: Call) -> None:
    """Send publications before the item. Then check for a cancellation, which is lost if it coincides with the end of a
    step on another thread."""
    ordering.release()
    call.raise_if_cancelled()


def awaitable(function: Function) -> Function:
    """Make `function` async if it is not, as an interceptor's may be: a call's streams are closed when it has ended."""
    if inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    async def call(*args: Value, **kwargs: Value) -> Value:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return call


class _MadeElsewhere:
    """The items of an async generator that an executor runs, encoded there before anything can change them."""

    def __init__(self, iterator: AsyncIterator[Value], executor: Executor, outlet: Outlet) -> None:
        self._iterator = iterator
        self._executor = executor
        self._outlet = outlet

    def __aiter__(self) -> _MadeElsewhere:
        return self

    async def __anext__(self) -> Value:
        return await self._executor(self._step)

    async def _step(self) -> Value:
        return self._outlet.encoded(await self._iterator.__anext__(), self._outlet.sent)

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await self._executor(close)


class _ReadElsewhere:
    """An argument that is a stream, for a method that does not run on the event loop that receives the items."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> _ReadElsewhere:
        return self

    async def __anext__(self) -> Value:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._next(), self._loop))

    async def _next(self) -> Value:
        return await anext(self._inlet)

    async def aclose(self) -> None:
        self._loop.call_soon_threadsafe(self._inlet.close)


def brought(args: Sequence[Value], kwargs: Mapping[str, Value]) -> tuple[list[Value], dict[str, Value]]:
    """Wrap the streams in arguments for a method that does not run on the current event loop, where they arrive."""

    def bring(value: Value) -> Value:
        return _ReadElsewhere(value) if isinstance(value, Inlet) else value

    return [bring(value) for value in args], {name: bring(value) for name, value in kwargs.items()}


async def _here(function: Callable[[], Value]) -> Value:
    result = function()
    await asyncio.sleep(0)  # others have their turn, and so has what it has handed to the event loop
    return result


class _Steps:
    """A generator that runs on another thread, for as many steps at a time as there is credit for.

    Args:
        generator: yields the items.
        outlet: sends them.
        ordering: orders what the call publishes.
        call: tells whether it is cancelled.
    """

    def __init__(
        self, generator: Generator[Value, None, None], outlet: Outlet, ordering: ResponseFirst, call: Call
    ) -> None:
        self._generator = generator
        self._outlet = outlet
        self._ordering = ordering
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._lock = threading.RLock()
        self._running = self._stopped = self._done = False
        self._made = 0
        self._error: BaseException | None = None  # of the generator, or of an item that cannot be sent

    async def drive(self, executor: Executor) -> None:
        """Send all items. Raises what the generator raises, and what `feed` raises."""
        context = contextvars.copy_context()
        try:
            while not self._done:
                if not self._outlet.room:
                    await self._outlet.wait()
                await executor(functools.partial(context.run, self._run, self._outlet.room))
                if self._error is not None:
                    raise self._error
        finally:
            with self._lock:
                self._stopped, running = True, self._running
            if not running and not self._done:
                with suppress(RuntimeError):  # the server has stopped
                    await executor(functools.partial(context.run, self._close))

    def _run(self, room: int) -> None:
        """Produce up to `room` items."""
        with self._lock:
            if self._stopped:
                return
            self._running = True
        try:
            while room and not self._call.cancelled and self._is_near():
                value = next(self._generator, _DONE)
                if value is _DONE:
                    self._done = True
                    break
                # It may go on with the same object: a list, or the buffer that each picture is rendered into.
                item = self._outlet.encoded(value, self._made)
                self._made += 1
                room -= 1
                self._loop.call_soon_threadsafe(self._deliver, item)
        except NotSerializable as error:  # of an item: the generator has to be closed yet
            self._error = error
        except BaseException as error:
            self._done, self._error = True, error
        finally:
            with self._lock:
                self._running, stopped = False, self._stopped
            if stopped:
                self._close()

    def _is_near(self) -> bool:
        return self._made - self._outlet.sent < UNDELIVERED

    def _deliver(self, item: Value) -> None:
        if not self._stopped:
            self._ordering.release()
            self._outlet.send_encoded(item)

    def _close(self) -> None:
        self._done = True
        try:
            self._generator.close()
        except RAISED:
            logger.exception(
                "method %s of client %s raised as its stream was closed", self._call.method, self._call.client_id
            )
