"""A server's traces, following OpenTelemetry's conventions for RPC.

Requires opentelemetry-api (`pip install wslink[otel]`).
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from time import time_ns
from typing import Any, NamedTuple, Protocol

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span, SpanKind, Tracer

from wslink.errors import RESULT_SERIALIZE_ERROR, NotSerializable
from wslink.rpc import spans
from wslink.rpc.call import Call, current_call
from wslink.rpc.dispatcher import Service
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE
from wslink.rpc.spans import OTHER, TracedEncoder, attributes_of, context_of, mark_failed, within
from wslink.session.features import Features
from wslink.session.features.trace import Trace
from wslink.session.observers import Observer, Observers
from wslink.session.view import SessionView
from wslink.version import __version__
from wslink.wire.messages import TRACE, Request

MAX_ARRIVED = 16_384
"""Calls whose method has not begun that are known; beyond these the oldest is forgotten."""


class Traced(Protocol):
    """The traces' interface to a server's hub."""

    @property
    def observers(self) -> Observers: ...
    @property
    def service(self) -> Service: ...
    @property
    def features(self) -> Features: ...
    @property
    def max_frame(self) -> int: ...


class Arrival(NamedTuple):
    """A call that has arrived: its client, time (nanoseconds since the epoch), method, and span."""

    session: SessionView
    at: int
    method: str
    parent: context.Context


class Traces(Observer):
    """An observer, and an interceptor (`around`), which record the calls of a server as spans and in the histogram
    `rpc.server.call.duration`, for as long as it is served. Messages to clients that accept `trace` carry their spans.

    Args:
        hub: the server's.
    """

    def __init__(self, hub: Traced) -> None:
        self._hub = hub
        self._tracer: Tracer = spans.tracer()
        self._durations: Histogram = metrics.get_meter("wslink", __version__).create_histogram(
            "rpc.server.call.duration",
            unit="s",
            description="Duration of calls, from their arrival to their encoded response",
            explicit_bucket_boundaries_advisory=spans.SECONDS,
        )
        self._arrived: OrderedDict[tuple[str, str], Arrival] = OrderedDict()
        hub.features.register(Trace(TracedEncoder(arrays=False), TracedEncoder(arrays=True)))
        hub.observers.add(self)
        hub.service.methods.intercept(self.around)

    # What it is told ------------------------------------------------------------

    def received(self, session: SessionView, request: Request) -> None:
        if request.id.startswith("system"):
            return
        parent = context_of(request.traceparent if TRACE in session.features else None)
        method = request.method if request.method in self._hub.service.methods else OTHER
        if len(self._arrived) >= MAX_ARRIVED:
            self._arrived.popitem(last=False)
        self._arrived[session.client_id, request.id] = Arrival(session, time_ns(), method, parent)

    def errored(self, session: SessionView, id_: str, code: int) -> None:
        """A call was refused before its method began, for example because of its arguments."""
        arrival = self._arrived.pop((session.client_id, id_), None)
        if arrival is not None:
            self.end(self.begin(arrival, session.client_id), arrival, str(code))

    def closed(self, session: SessionView) -> None:
        for key in [key for key in self._arrived if key[0] == session.client_id]:
            self._arrived.pop(key, None)

    # What it does ---------------------------------------------------------------

    def around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors."""

        def traced(*args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            arrival = self._arrived.pop((call.client_id, call.id), None) if call is not None else None
            if call is None or arrival is None:
                return function(*args, **kwargs)
            served = Served(self, call, arrival)
            try:
                with served.running():
                    result = function(*args, **kwargs)
            except BaseException as error:
                served.fail(error)
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return served.finish(result)
            return served.respond(result)

        return traced

    def begin(self, arrival: Arrival, client_id: str) -> Span:
        """The span of a call."""
        attributes = {**attributes_of(arrival.method), "wslink.client_id": client_id}
        name = spans.SYSTEM if arrival.method == OTHER else arrival.method
        return self._tracer.start_span(name, arrival.parent, SpanKind.SERVER, attributes, start_time=arrival.at)

    def end(self, span: Span, arrival: Arrival, code: str = "") -> None:
        """A call has ended, with the code of its error."""
        if code:
            mark_failed(span, code)
        now = time_ns()
        span.end(now)
        seconds = (now - arrival.at) / 1e9
        self._durations.record(seconds, attributes_of(arrival.method, code), within(span))

    def encode(self, call: Call, session: SessionView, result: Any, parent: context.Context) -> Any:
        """Encode a result for `Responder.result`. Raises NotSerializable."""
        with self._tracer.start_as_current_span(spans.ENCODE, parent):
            return session.encoder.result(call.id, result, self._hub.max_frame)

    def step(self, name: str, parent: context.Context, begin: int) -> Span:
        """A part of a call."""
        return self._tracer.start_span(name, parent, start_time=begin)


class Served:
    """The spans of a call whose method begins now: the call's, from its arrival on, and within it those for waiting,
    for the method, and for encoding the response."""

    def __init__(self, traces: Traces, call: Call, arrival: Arrival) -> None:
        self._traces = traces
        self._call = call
        self._arrival = arrival
        self._span = traces.begin(arrival, call.client_id)
        self._within = within(self._span)
        now = time_ns()
        traces.step(spans.QUEUE, self._within, arrival.at).end(now)
        self._method = traces.step(spans.METHOD, self._within, now)

    def running(self) -> AbstractContextManager[object]:
        """The method is running: its span is the parent of what it does."""
        return trace.use_span(self._method, record_exception=False, set_status_on_exception=False)

    def fail(self, error: BaseException) -> None:
        """It has raised an exception."""
        self._method.record_exception(error)
        self._method.end()
        self._traces.end(self._span, self._arrival, status_of(error))

    def respond(self, result: Any) -> Any:
        """It has returned. Returns its result, encoded if that is possible."""
        self._method.end()
        try:
            encoded = self._traces.encode(self._call, self._arrival.session, result, self._within)
        except NotSerializable:
            self._traces.end(self._span, self._arrival, str(RESULT_SERIALIZE_ERROR))
            return result  # of which the session makes an error
        self._traces.end(self._span, self._arrival)
        return encoded

    async def finish(self, awaitable: Awaitable[Any]) -> Any:
        """It continues as a task."""
        try:
            with self.running():
                result = await awaitable
        except BaseException as error:
            self.fail(error)
            raise
        return self.respond(result)
