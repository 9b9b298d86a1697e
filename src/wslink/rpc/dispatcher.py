"""Dispatch of incoming calls: the table of running calls, where they run, and their results and errors."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Protocol

from wslink import errors
from wslink.errors import InvalidParams, InvalidRequest, LimitExceeded, MethodError, PeerError
from wslink.rpc.call import Call, Caller, Executor, current_call
from wslink.rpc.discarding import discard
from wslink.rpc.elsewhere import Raised, serve
from wslink.rpc.failures import error_of
from wslink.rpc.interceptors import Function
from wslink.rpc.latest import LatestCalls
from wslink.rpc.methods import NEVER_AWAITABLE, Method, Methods
from wslink.rpc.nobody import NOBODY
from wslink.rpc.ordering import ResponseFirst
from wslink.rpc.streaming import Serving, brought, is_small
from wslink.rpc.streams import Streams
from wslink.wire.limits import Limits
from wslink.wire.messages import Request
from wslink.wire.show import shown
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.protocol")  # by which applications silence it


class Responder(Protocol):
    """The end of a connection whose calls are dispatched. It sends their results and errors."""

    @property
    def streams(self) -> Streams | None:
        """Carries the streams of calls; None if the other end does not support them."""

    def result(self, id_: str, value: Value, method: str | None = None) -> None: ...

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        """Encode a result for `result`, as far as possible. May be called from any thread."""

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None: ...

    def unknown(self, request: Request) -> None:
        """Send the error of a call to a method that does not exist."""

    def reporter(self, call: Call) -> Callable[[Value], None] | None:
        """Return a function that sends the progress of `call`; None if it was not negotiated (PRG-1)."""

    def full(self) -> None:
        """`Dispatcher.full` has become true. Calls that are started nevertheless are run."""

    def room(self) -> None:
        """`Dispatcher.full` may have become false."""


class Service:
    """State that the dispatchers of one server share.

    Args:
        owner: the value of `Call.app`.
        spawn: runs a coroutine as a task, and keeps a reference to the task.
        executors: by `Method.run`; they may change. A method whose `run` has none runs on the event loop's thread.

    Attributes:
        methods: the methods that may be called.
        limits: their limits on calls apply here (LIM-10).
        ordering: see ResponseFirst.
        debug: whether errors contain stack traces (ERR-2).
        under_way: the number of running calls, including those of clients that have gone (LIM-10).
        busy: the number of clients with running calls.
        adrift: the number of calls that continue although their client has gone.
        refuse: returns the error of a call that a client may not make; None if it may. None without authorization.
        raised: called with exceptions of methods other than MethodError.
    """

    def __init__(
        self,
        owner: Value,
        spawn: Callable[[Coroutine[Value, Value, None]], asyncio.Task[None]],
        executors: Mapping[str, Executor],
        limits: Limits,
        debug: bool = False,
    ) -> None:
        self.owner = owner
        self.spawn = spawn
        self.executors = executors
        self.limits = limits
        self.debug = debug
        self.methods: Methods = Methods()
        self.ordering: ResponseFirst = ResponseFirst()
        self.under_way = 0
        self.busy = 0
        self.adrift = 0
        self.refuse: Callable[[Caller, str], PeerError | None] | None = None
        self.raised: list[Callable[[Call, BaseException], None]] = []


class Running:
    """A call that did not end in its first step."""

    __slots__ = ("adrift", "call", "detached", "task")

    def __init__(self, call: Call, detached: bool) -> None:
        self.call: Call = call
        self.detached: bool = detached
        self.adrift: bool = False
        """Whether it continues although its client has gone."""
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Cancel the task in the next turn of the event loop, when it has begun: a task that never begins would send no
        error."""
        self.call.cancelled = True
        if self.task is not None:
            self.task.get_loop().call_soon(self.task.cancel)


class Dispatcher:
    """Runs the incoming calls of one connection.

    Args:
        service: what it shares with the others.
        responder: sends results and errors.
    """

    __slots__ = ("_gone", "_held", "_latest", "_responder", "_running", "_service", "full")

    def __init__(self, service: Service, responder: Responder) -> None:
        self._service = service
        self._responder: Responder = responder
        self._running: dict[object, Running] | None = None  # created on demand: most clients never need it
        self._held: deque[tuple[Request, Function]] | None = None  # calls that wait for streams, and their start
        self._latest: LatestCalls | None = None
        self._gone = False
        self.full: bool = False
        """Whether no further calls are to be accepted from the client for now (LIM-10)."""

    @property
    def under_way(self) -> int:
        """The number of running calls."""
        return len(self._running or ())

    @property
    def ids(self) -> list[str]:
        """The ids of running and waiting calls."""
        running = [one.call.id for one in (self._running or {}).values()]
        return [*running, *(request.id for request, _ in self._held or ())]

    def start(self, request: Request, client: Caller, arrived: float = 0.0) -> None:
        """Run the first step of a method, which for most methods is all of it. For `arrived` see Call. Never raises.

        Every call passes here: each Python function that is entered costs a tenth of a small call.
        """
        service = self._service
        method = service.methods.get(request.method)
        if method is None:
            self._responder.unknown(request)
            return
        if (service.refuse and self._refuse(request, client)) or (self.full and self._hold(request, client)):
            return
        call = Call(client, method.name, service.owner, request.id)
        call.arrived = arrived
        token = current_call.set(call)
        try:
            if request.progress or request.stream is not None or method.streaming:
                self._equip(method, request, call)
            args, kwargs = request.args, request.kwargs
            if method.check is not None and (kwargs or tuple(map(type, args)) != method.plain_types):
                args, kwargs = method.check(args, kwargs, call)  # type: ignore[assignment]
            if method.latest:
                result = self._in_turn(method, call, args, kwargs)
            elif method.run not in service.executors:
                result = method.function(*args, **kwargs)
            else:
                result = service.executors[method.run](self._work(method, call, args, kwargs))
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                self._keep(call, result, method.detached)  # the task copies this context, including current_call
                return
        except BaseException as error:
            self._failed(call, error)
            return
        finally:
            current_call.reset(token)
        call.answered = True
        self._responder.result(call.id, result, call.method)
        if service.ordering.holding:
            service.ordering.release(call)

    def _refuse(self, request: Request, client: Caller) -> bool:
        """Refuse a call for which the client is not authorized (AUTH-1). Returns whether it was refused."""
        refuse = self._service.refuse
        refusal = refuse(client, request.method) if refuse is not None else None
        if refusal is not None:
            self._responder.error(request.id, refusal.code, refusal.message, refusal.data, request.method)
        return refusal is not None

    def _equip(self, method: Method, request: Request, call: Call) -> None:
        """Set up a call's streams and progress. Raises PeerError."""
        if method.streaming or request.stream is not None:
            call.streams = self._open_streams(method, request)
        if request.progress:
            call.report = self._responder.reporter(call)

    def _open_streams(self, method: Method, request: Request) -> Serving | None:
        """Open the streams of a call. What the client asks for has to match the method (STR-1). Raises PeerError."""
        table, credit, name = self._responder.streams, request.stream, shown(method.name)
        if credit is None and method.streams:
            raise InvalidParams(f"method {name} streams its results: use link.stream instead of link.call", method.name)
        if credit is not None and not method.streams:
            raise InvalidParams(f"method {name} does not stream: use link.call instead of link.stream", method.name)
        if table is None:
            if credit is not None:
                raise InvalidRequest(f"method {name} streams its results, and the client did not announce 'stream'")
            return None
        if credit is not None and not 0 <= credit <= table.max_window:
            raise LimitExceeded(f"'stream' is a number of items, from 0 to max_stream_window ({table.max_window})")
        streams = table.open(request.id)
        if credit is not None:
            streams.outlet(None, credit, method.lane)
        return Serving(streams, self._service.ordering, self._service.executors)

    def _hold(self, request: Request, client: Caller) -> bool:
        """Whether a call has to wait, or is refused, while streams keep the client's connection readable (STR-6)."""
        streams, most = self._responder.streams, self._service.limits.max_calls
        if streams is None or not streams.reading:
            return False
        held = self._held = self._held or deque()
        if is_small(request) and len(held) < most:
            context = contextvars.copy_context()  # rather than the context of the call whose end makes room
            held.append((request, functools.partial(context.run, self.start, request, client, monotonic())))
        else:
            why = f"over max_calls ({most}) calls are under way, streams among them"
            self._responder.error(request.id, errors.LIMIT_ERROR, why, request.method, request.method)
        return True

    def _take_held(self) -> None:
        while self._held and not self.full:
            self._held.popleft()[1]()

    def cancel(self, id_: str) -> bool:
        """Cancel a running or waiting call. Returns whether there is one with this id."""
        held = next((one for one in self._held if one[0].id == id_), None) if self._held else None
        if held is not None and self._held is not None:
            self._held.remove(held)
            self._responder.error(id_, errors.CANCELLED, "Cancelled", held[0].method, held[0].method)
            return True
        running = self._running.get(id_) if self._running else None
        if running is not None:
            running.cancel()
        return running is not None

    def leave(self) -> None:
        """The client has gone: cancel its calls. Calls of detached methods continue, up to `max_calls` on the
        server."""
        service, self._held = self._service, None
        for running in list((self._running or {}).values()):
            if running.detached and service.adrift < service.limits.max_calls:
                running.adrift = True
                service.adrift += 1
            else:
                running.cancel()
        self._gone = True
        if not self._running:
            self._responder = NOBODY  # this one refers to the dispatcher

    def _is_full(self, running: int) -> bool:
        """Whether a client with this many running calls has reached its share. This is `max_calls`, and when the server
        is full its part of `max_server_calls`, less four times the excess (TURN-3)."""
        service = self._service
        if running >= service.limits.max_calls:
            return True
        total = service.limits.max_server_calls
        over = service.under_way - total
        return over >= 0 and running >= max((total - 4 * over) // max(service.busy, 1), 1)

    def _in_turn(self, method: Method, call: Call, args: Sequence[Value], kwargs: dict[str, Value]) -> Awaitable[Value]:
        """Run a latest-wins method when it is the call's turn (TURN-5)."""
        call.arrived = call.arrived or monotonic()
        function: Function = functools.partial(method.function, *args, **kwargs)
        if method.run in self._service.executors:
            work = self._work(method, call, args, kwargs)
            function = functools.partial(self._service.executors[method.run], work)
        self._latest = self._latest or LatestCalls()
        return self._latest.run(method.name, function)

    def _work(self, method: Method, call: Call, args: Sequence[Value], kwargs: dict[str, Value]) -> Callable[[], Value]:
        """Return the function that an executor runs for a call."""
        call.arrived = call.arrived or monotonic()
        if call.streams is not None:
            args, kwargs = brought(args, kwargs)
        return functools.partial(serve, self._responder, call, method.function, args, kwargs)

    def _keep(self, call: Call, awaitable: Awaitable[Value], detached: bool) -> None:
        """Keep a call in the table until it has ended."""
        service = self._service
        if self._running is None:
            self._running = {}
        if not self._running:
            service.busy += 1
        key: object = call.id if call.id not in self._running else call  # clients may reuse an id
        running = self._running[key] = Running(call, detached)
        service.under_way += 1
        running.task = service.spawn(self._finish(key, running, awaitable))
        if not self.full and self._is_full(len(self._running)):
            self.full = True
            self._responder.full()

    async def _finish(self, key: object, running: Running, awaitable: Awaitable[Value]) -> None:
        call = running.call
        try:
            if call.cancelled:  # before it has begun
                discard(awaitable)
                raise asyncio.CancelledError
            result = await awaitable
            if inspect.iscoroutine(result):  # of a function that ran in a thread pool
                result = await result
            if type(result) is Raised:
                raise result.error
            if call.cancelled:  # but it ran to its end
                raise asyncio.CancelledError
        except BaseException as error:
            if isinstance(error, GeneratorExit) and _loop_has_ended():
                raise
            self._failed(call, error)
        else:
            call.answered = True
            if call.streams is not None:
                call.streams.streams.close()
            self._responder.result(call.id, result, call.method)
            self._service.ordering.release(call)
        finally:
            self._ended(key)

    def _ended(self, key: object) -> None:
        service = self._service
        service.under_way -= 1
        running = self._running.pop(key, None) if self._running is not None else None
        if running is None or self._running is None:
            return
        service.adrift -= running.adrift
        if not self._running:
            service.busy -= 1
        if self.full and not self._is_full(len(self._running)):
            self.full = False
            self._take_held()
            if not self.full:
                self._responder.room()
        if self._gone and not self._running:
            self._responder = NOBODY

    def _failed(self, call: Call, error: BaseException) -> None:
        """Send the error response for an exception of any kind. Even SystemExit and KeyboardInterrupt only affect the
        call (ERR-2, ERR-3)."""
        call.answered = True
        if call.streams is not None:
            call.streams.streams.close()
        chosen, stopped = isinstance(error, (MethodError, PeerError)), isinstance(error, asyncio.CancelledError)
        if not chosen and not stopped:
            logger.error("method %s of client %s raised", call.method, call.client_id, exc_info=error)
        if call.cancelled:
            self._responder.error(call.id, errors.CANCELLED, "Cancelled", call.method, call.method)
        else:
            self._responder.error(call.id, *error_of(call, error, self._service.debug), call.method)
        for notify in self._service.raised if not chosen and not stopped else ():
            notify(call, error)
        call.cancelled = call.cancelled or stopped  # the server is stopping: threads can see it
        self._service.ordering.release(call)


def _loop_has_ended() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False
