"""Dispatch of incoming calls: the table of running calls, where they run, and their outcomes."""

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

logger: logging.Logger = logging.getLogger("wslink")


class Responder(Protocol):
    """The end of a connection whose calls are dispatched: it sends what becomes of them."""

    @property
    def streams(self) -> Streams | None:
        """What carries the streams of calls; None where the other end knows none."""

    def result(self, id_: str, value: Value, method: str | None = None) -> None: ...

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        """A result as `result` takes it, encoded now as far as it can be. From any thread."""

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None: ...

    def unknown(self, request: Request) -> None:
        """There is no such method. Sends the error."""

    def reporter(self, call: Call) -> Callable[[Value], None] | None:
        """What sends the progress of a call whose caller asks for it; None where that was not agreed on (PRG-1)."""

    def full(self) -> None:
        """`Dispatcher.full` has become true: calls that are started all the same are run."""

    def room(self) -> None:
        """It may have become false."""


class Service:
    """State that the dispatchers of one server share.

    Args:
        owner: what `Call.app` is.
        spawn: runs a coroutine as a task, and keeps a reference to that.
        executors: by `Method.run`; they may change. A method whose `run` has none runs on the event loop's thread.

    Attributes:
        methods: what may be called.
        limits: those on calls apply here (LIM-10).
        ordering: see ResponseFirst.
        debug: whether errors carry stack traces (ERR-2).
        under_way: calls under way, also those of clients that have gone (LIM-10).
        busy: clients with calls under way.
        adrift: calls that go on although their client has gone.
        refuse: gives the error of a call of a method that a client may not make, None for one that it may; None while
            nobody is refused any.
        raised: are told what a method raised that it did not choose.
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
        """Whether it goes on although its client has gone."""
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Cancel its task, which has begun by the event loop's next turn: one that never began would send no error."""
        self.call.cancelled = True
        if self.task is not None:
            self.task.get_loop().call_soon(self.task.cancel)


class Dispatcher:
    """Runs the incoming calls of one connection.

    Args:
        service: what it shares with others.
        responder: sends results and errors.
    """

    __slots__ = ("_gone", "_held", "_latest", "_responder", "_running", "_service", "full")

    def __init__(self, service: Service, responder: Responder) -> None:
        self._service = service
        self._responder: Responder = responder
        self._running: dict[object, Running] | None = None  # most clients never have one
        self._held: deque[tuple[Request, Function]] | None = None  # calls that wait beside streams, and their start
        self._latest: LatestCalls | None = None
        self._gone = False
        self.full: bool = False
        """Whether no further calls are to be taken from the client for a while (LIM-10)."""

    @property
    def under_way(self) -> int:
        """Calls under way."""
        return len(self._running or ())

    @property
    def ids(self) -> list[str]:
        """Of the calls under way, and of those that wait beside streams."""
        running = [one.call.id for one in (self._running or {}).values()]
        return [*running, *(request.id for request, _ in self._held or ())]

    def start(self, request: Request, client: Caller, arrived: float = 0.0) -> None:
        """Run a method's first step, which for most is all of it; see `Call.arrived`. Never raises.

        This is on the path of every call: each function entered here is a tenth of what a small call costs.
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
                self._keep(call, result, method.detached)  # the task copies this context, and current_call with it
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
        """Whether the client may not call that method, which it is told then (AUTH-1)."""
        refuse = self._service.refuse
        refusal = refuse(client, request.method) if refuse is not None else None
        if refusal is not None:
            self._responder.error(request.id, refusal.code, refusal.message, refusal.data, request.method)
        return refusal is not None

    def _equip(self, method: Method, request: Request, call: Call) -> None:
        """Give a call what it has beside its response. Raises PeerError."""
        if method.streaming or request.stream is not None:
            call.streams = self._open_streams(method, request)
        if request.progress:
            call.report = self._responder.reporter(call)

    def _open_streams(self, method: Method, request: Request) -> Serving | None:
        """The streams of a call: what it asks for is what its method has (STR-1). Raises PeerError."""
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
        """Whether a call waits, or is refused, beside streams for whose items the client is read from (STR-6)."""
        streams, most = self._responder.streams, self._service.limits.max_calls
        if streams is None or not streams.reading:
            return False
        held = self._held = self._held or deque()
        if is_small(request) and len(held) < most:
            context = contextvars.copy_context()  # not that of the call whose end makes room
            held.append((request, functools.partial(context.run, self.start, request, client, monotonic())))
        else:
            why = f"over max_calls ({most}) calls are under way, streams among them"
            self._responder.error(request.id, errors.LIMIT_ERROR, why, request.method, request.method)
        return True

    def _take_held(self) -> None:
        while self._held and not self.full:
            self._held.popleft()[1]()

    def cancel(self, id_: str) -> bool:
        """Cancel a call under way; whether there is one of that id."""
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
        """The client has gone: cancel its calls, but for those of detached methods, of which the server goes on with
        `max_calls`."""
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
        """Whether a client with so many calls under way has its share: `max_calls`, and on a server that is full no
        more than all could have, less its part of four times what is over that (TURN-3)."""
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
        """What an executor runs for a call."""
        call.arrived = call.arrived or monotonic()
        if call.streams is not None:
            args, kwargs = brought(args, kwargs)
        return functools.partial(serve, self._responder, call, method.function, args, kwargs)

    def _keep(self, call: Call, awaitable: Awaitable[Value], detached: bool) -> None:
        """Enter a call into the table until it has ended."""
        service = self._service
        if self._running is None:
            self._running = {}
        if not self._running:
            service.busy += 1
        key: object = call.id if call.id not in self._running else call  # a client may use an id twice
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
            if inspect.iscoroutine(result):  # of a function in a pool of threads
                result = await result
            if type(result) is Raised:
                raise result.error
            if call.cancelled:  # and it went on all the same
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
        """Send what a call's exception becomes, of whatever kind it is: an exit or an interrupt is its caller's error,
        too (ERR-2, ERR-3)."""
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
        call.cancelled = call.cancelled or stopped  # the server stops: a thread sees it
        self._service.ordering.release(call)


def _loop_has_ended() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False
