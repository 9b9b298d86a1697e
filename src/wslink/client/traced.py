"""A client that records its calls and publications as OpenTelemetry spans, in one trace with the server's.

Requires opentelemetry-api (`pip install wslink[otel]`).
"""

from __future__ import annotations

import inspect
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import time_ns
from typing import Any

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind

from wslink.client.calls import OutgoingCall
from wslink.client.handlers import Handlers
from wslink.client.session import FEATURES, ClientSession, PublicationHandler, Renew
from wslink.errors import CANCELLED, CallError, as_code
from wslink.rpc import spans
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE
from wslink.rpc.spans import TracedEncoder, attributes_of, context_of, mark_failed
from wslink.session.entries import Entry
from wslink.session.sender import FrameSink
from wslink.version import __version__
from wslink.wire import messages as wire
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits
from wslink.wire.traceparent import TRACEPARENT
from wslink.wire.v2_msgpack import NO_OPTIONS, Option, V2Decoder, V2Encoder
from wslink.wire.value import Value

MAX_WAITING = 1024
"""Publications of a subscription that wait for their subscriber whose spans are known; beyond these the oldest is
forgotten."""

MAX_SUBSCRIPTIONS = 4096
"""Subscriptions, whatever the server calls so, whose publications are counted."""


class TimedDecoder(V2Decoder):
    """Records when it last began and ended to decode, in nanoseconds since the epoch."""

    __slots__ = ("began", "ended")

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.began = self.ended = 0

    def receive(self, binary: bool, data: Buffer | str) -> Value:
        self.began = time_ns()
        message = super().receive(binary, data)
        self.ended = time_ns()
        return message


class TracedSession(ClientSession):
    """A client session that records its calls and the handling of publications. Takes the arguments of
    ClientSession."""

    _announced = (*FEATURES, wire.TRACE)

    def __init__(
        self,
        limits: Limits,
        publish: PublicationHandler,
        renew: Renew,
        lost: Callable[[], None] | None,
        handlers: Handlers,
    ) -> None:
        self._encoders = TracedEncoder(arrays=False), TracedEncoder(arrays=True)
        super().__init__(limits, self._traced(publish), renew, lost, handlers)
        self._tracer = spans.tracer()
        self._durations = metrics.get_meter("wslink", __version__).create_histogram(
            "rpc.client.call.duration",
            unit="s",
            description="Duration of calls, until their response",
            explicit_bucket_boundaries_advisory=spans.SECONDS,
        )
        self._calls: dict[str, tuple[Span, str, int]] = {}
        self._arrived: dict[int, int] = {}
        self._waiting: defaultdict[int, deque[tuple[int, context.Context]]] = defaultdict(
            lambda: deque(maxlen=MAX_WAITING)
        )
        handlers.intercept(self._around)

    def _make_encoder(self, arrays: bool) -> V2Encoder:
        return self._encoders[arrays] if wire.TRACE in self.welcome.features else super()._make_encoder(arrays)

    def hello(self, sink: FrameSink, secret: str | None) -> tuple[OutgoingCall, tuple[Frame, ...]]:
        """See ClientSession.hello."""
        first = super().hello(sink, secret)
        self._decoder = TimedDecoder(self._limits)
        return first

    # Calls ----------------------------------------------------------------------

    def _call(
        self,
        id_: str,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> OutgoingCall:
        if id_.startswith("system"):
            return super()._call(id_, method, args, kwargs, options)
        span = self._tracer.start_span(method, kind=SpanKind.CLIENT, attributes=attributes_of(method))
        try:
            with trace.use_span(span, end_on_exit=False):
                call = super()._call(id_, method, args, kwargs, options)
        except BaseException:
            span.end()
            raise
        self._calls[id_] = span, method, time_ns()
        return call

    def _take_response(self, id_: str, message: dict[str, Any]) -> None:
        if id_ in self._calls:
            self._decoded(trace.set_span_in_context(self._calls[id_][0]))
        super()._take_response(id_, message)

    def over(self, call: OutgoingCall, entry: Entry | None) -> None:
        """See Calls.over. Ends the call's span."""
        super().over(call, entry)
        if call.id not in self._calls:
            return
        span, method, began = self._calls.pop(call.id)
        code = _code_of(call)
        if code:
            mark_failed(span, code)
        now = time_ns()
        span.end(now)
        self._durations.record((now - began) / 1e9, attributes_of(method, code), trace.set_span_in_context(span))

    # Publications ---------------------------------------------------------------

    def _traced(self, publish: PublicationHandler) -> PublicationHandler:
        def traced(topic: str, message: Mapping[str, Any]) -> None:
            parent = self._parent(message)
            self._decoded(parent, {spans.TOPIC: topic})
            ids = message.get("subscriptions")
            for id_ in {id_ for id_ in ids if type(id_) is int} if isinstance(ids, list) else ():
                self._note(id_, parent)
            publish(topic, message)

        return traced

    def _note(self, subscription: int, parent: context.Context) -> None:
        """A publication has arrived for a subscription."""
        if subscription not in self._arrived and len(self._arrived) >= MAX_SUBSCRIPTIONS:
            return
        self._arrived[subscription] = self._arrived.get(subscription, 0) + 1
        if _is_known(parent):
            self._waiting[subscription].append((self._arrived[subscription], parent))

    def _parent(self, message: Mapping[str, Any]) -> context.Context:
        return context_of(message.get(TRACEPARENT) if wire.TRACE in self.welcome.features else None)

    def _decoded(self, parent: context.Context, attributes: Mapping[str, str] | None = None) -> None:
        decoder = self._decoder
        if _is_known(parent) and isinstance(decoder, TimedDecoder):
            span = self._tracer.start_span(spans.DECODE, parent, attributes=attributes, start_time=decoder.began)
            span.end(decoder.ended)

    def settle(self, subscription: int, count: int, duration: float) -> None:
        """See ClientSession.settle. Records how the subscriber handled the last publication."""
        waiting, now = self._waiting[subscription], time_ns()
        while waiting and waiting[0][0] <= count:
            number, parent = waiting.popleft()
            if number == count and duration:
                start = now - int(duration * 1e9)
                self._tracer.start_span(spans.CALLBACK, parent, SpanKind.CONSUMER, start_time=start).end(now)
        super().settle(subscription, count, duration)

    def forget(self, subscription: int) -> None:
        """See ClientSession.forget."""
        self._waiting.pop(subscription, None)
        self._arrived.pop(subscription, None)
        super().forget(subscription)

    def _begin(self) -> None:
        self._waiting.clear()
        self._arrived.clear()
        super()._begin()

    # The server's calls -----------------------------------------------------------

    def _take(self, message: Any, data: Buffer | str) -> None:
        if not isinstance(message, dict) or "method" not in message:
            super()._take(message, data)
            return
        token = context.attach(self._parent(message))
        try:
            super()._take(message, data)
        finally:
            context.detach(token)

    def _around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors."""

        def traced(*args: Any, **kwargs: Any) -> Any:
            span = self._tracer.start_span(name, kind=SpanKind.SERVER, attributes=attributes_of(name))
            with trace.use_span(span, end_on_exit=False):
                try:
                    result = function(*args, **kwargs)
                except BaseException as error:
                    _end(span, error)
                    raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return _finish(span, result)
            span.end()
            return result

        return traced


async def _finish(span: Span, awaitable: Awaitable[Any]) -> Any:
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        try:
            result = await awaitable
        except BaseException as error:
            _end(span, error)
            raise
    span.end()
    return result


def _end(span: Span, error: BaseException) -> None:
    span.record_exception(error)
    mark_failed(span, status_of(error))
    span.end()


def _is_known(parent: context.Context) -> bool:
    return trace.get_current_span(parent).get_span_context().is_valid


def _code_of(call: OutgoingCall) -> str:
    """The error code with which a call ended; "" if it succeeded."""
    if not call.result.done() or call.result.cancelled():
        return str(CANCELLED)
    error = call.result.exception()
    if error is None:
        return ""
    return str(as_code(error.code)) if isinstance(error, CallError) else type(error).__name__
