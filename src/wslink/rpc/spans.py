"""OpenTelemetry spans, whose contexts messages carry from one end to the other.

Requires the opentelemetry-api package (`pip install wslink[otel]`), and is imported only if traces are enabled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

from wslink.errors import NotSerializable
from wslink.version import __version__
from wslink.wire.frames import Message
from wslink.wire.traceparent import TRACEPARENT, read_traceparent, write_traceparent
from wslink.wire.v2_msgpack import NO_OPTIONS, Option, Packed, V2Encoder
from wslink.wire.value import Value

SYSTEM = "wslink"
OTHER = "_OTHER"
"""Replaces the names of unknown methods: clients may make up any number, which must not become span names or labels."""
QUEUE, METHOD, ENCODE, DECODE, CALLBACK = (
    "wslink." + what for what in ("queue", "method", "encode", "decode", "callback")
)
"""Names of spans within those of calls and publications."""
TOPIC = "wslink.topic"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of the duration buckets in the semantic conventions."""


def tracer() -> Tracer:
    """This package's tracer, from the provider that the application has set up."""
    return trace.get_tracer("wslink", __version__)


def context_of(traceparent: Value) -> Context:
    """A context with the span that a message names; an empty one if that is malformed (TRC-2)."""
    parent = read_traceparent(traceparent)
    if parent is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    return within(NonRecordingSpan(SpanContext(parent.trace, parent.span, is_remote=True, trace_flags=flags)))


def within(span: Span) -> Context:
    """A context with the span `span`."""
    return trace.set_span_in_context(span, Context())


def traceparent_of(span: Span) -> str:
    """The traceparent of `span` for messages (TRC-1); "" if it is not valid."""
    context = span.get_span_context()
    return write_traceparent(context.trace_id, context.span_id, context.trace_flags.sampled) if context.is_valid else ""


def attributes_of(method: str, code: str = "") -> dict[str, str]:
    """The attributes of a call's span, with the error code if there is one."""
    attributes = {"rpc.system.name": SYSTEM, "rpc.method": method}
    return {**attributes, "rpc.response.status_code": code, "error.type": code} if code else attributes


def mark_failed(span: Span, code: str) -> None:
    """Mark the `span` of a call as failed with that error code."""
    span.set_attributes({"rpc.response.status_code": code, "error.type": code})
    span.set_status(Status(StatusCode.ERROR))


class TracedPacked(Packed):
    """An encoded payload, with the span in which it was encoded."""

    traceparent: str = ""


class TracedEncoder(V2Encoder):
    """An encoder for peers that accepted `trace`. Encodes each publication's payload in its own span, which the
    publication carries. Calls carry the current span (TRC-1).

    Args:
        arrays: whether the peer accepted typed arrays (ARR-1).
    """

    def __init__(self, arrays: bool) -> None:
        super().__init__(arrays)
        self._tracer = tracer()

    def pack(self, value: Value) -> Packed:
        """Encode a payload, in the current span or in a new trace. Raises NotSerializable."""
        span = self._tracer.start_span(ENCODE, kind=SpanKind.PRODUCER)
        try:
            packed = super().pack(value)
        except NotSerializable as error:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()
        return TracedPacked(packed.texts, packed.splices, traceparent_of(span))

    def publication(
        self,
        id_: str,
        packed: Packed,
        subscriptions: tuple[int, ...] | None,
        max_frame: int,
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> Message:
        if isinstance(packed, TracedPacked) and packed.traceparent:
            options = {**options, TRACEPARENT: packed.traceparent}
        return super().publication(id_, packed, subscriptions, max_frame, options)

    def call(
        self,
        id_: str,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        max_frame: int,
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> Message:
        traceparent = traceparent_of(trace.get_current_span())
        if traceparent and not id_.startswith("system"):
            options = {**options, TRACEPARENT: traceparent}
        return super().call(id_, method, args, kwargs, max_frame, options)
