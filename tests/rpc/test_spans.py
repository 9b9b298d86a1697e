"""Spans that messages carry (TRC-1, TRC-2): what is read, written, and put around what is encoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wslink.errors import NotSerializable
from wslink.rpc import spans
from wslink.wire.chunks import frames_of
from wslink.wire.frames import Message

PARENT = f"00-{'0' * 31}1-{'0' * 15}2-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(spans, "tracer", lambda: provider.get_tracer("test"))
    yield found
    provider.shutdown()


def read(message: Message) -> Any:
    return msgpack.unpackb(b"".join(bytes(frame.joined())[12:] for frame in frames_of(message)))


def test_a_context_is_that_of_the_message() -> None:
    span = trace.get_current_span(spans.context_of(PARENT))
    context = span.get_span_context()
    assert (context.trace_id, context.span_id, context.is_remote, context.trace_flags.sampled) == (1, 2, True, True)
    assert spans.traceparent_of(span) == PARENT
    unsampled = trace.get_current_span(spans.context_of(PARENT[:-1] + "0")).get_span_context()
    assert (unsampled.trace_id, unsampled.trace_flags.sampled) == (1, False)
    for malformed in ("x", 3, None):
        assert not trace.get_current_span(spans.context_of(malformed)).get_span_context().is_valid
    assert spans.traceparent_of(trace.INVALID_SPAN) == ""
    assert trace.get_current_span(spans.within(span)) is span


def test_what_is_said_of_a_call() -> None:
    call = {"rpc.system.name": "wslink", "rpc.method": "a.b"}
    assert spans.attributes_of("a.b") == call
    assert spans.attributes_of("a.b", "-32001") == {
        **call,
        "rpc.response.status_code": "-32001",
        "error.type": "-32001",
    }


@pytest.mark.parametrize("value", ["small", {"a": [b"x" * 100_000, 3]}])
def test_a_publication_names_the_span_of_its_encoding(exporter: InMemorySpanExporter, value: Any) -> None:
    encoder = spans.TracedEncoder(True)
    packed = encoder.pack(value)
    [span] = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.is_ok) == ("wslink.encode", trace.SpanKind.PRODUCER, True)
    told = read(encoder.publication("publish:a:0", packed, (1,), 2**20, {"more": 1}))
    context = span.get_span_context()
    assert told == {
        "wslink": "1.0",
        "id": "publish:a:0",
        "more": 1,
        "traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-01",
        "result": value,
        "subscriptions": [1],
    }
    plain = spans.V2Encoder(True).pack(value)
    assert "traceparent" not in read(encoder.publication("publish:a:0", plain, None, 2**20))


def test_what_cannot_be_encoded_marks_its_span(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(NotSerializable):
        spans.TracedEncoder(True).pack(object())
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_a_call_names_the_span_in_which_it_is_made(exporter: InMemorySpanExporter) -> None:
    encoder = spans.TracedEncoder(False)

    def call(id_: str) -> Any:
        return read(encoder.call(id_, "a.b", [1], {"c": 2}, 2**20, {"progress": True}))

    whole = {"wslink": "1.0", "id": "rpc:c0:1", "progress": True, "method": "a.b", "args": [1], "kwargs": {"c": 2}}
    assert call("rpc:c0:1") == whole
    span = trace.NonRecordingSpan(trace.get_current_span(spans.context_of(PARENT)).get_span_context())
    with trace.use_span(span):
        assert call("rpc:c0:1") == {**whole, "traceparent": PARENT}
        assert call("system:c0:1") == {**whole, "id": "system:c0:1"}


def test_a_span_that_failed_says_with_what(exporter: InMemorySpanExporter) -> None:
    span = spans.tracer().start_span("x")
    spans.mark_failed(span, "7")
    span.end()
    [done] = exporter.get_finished_spans()
    assert dict(done.attributes or {}) == {"rpc.response.status_code": "7", "error.type": "7"}
    assert done.status.status_code is trace.StatusCode.ERROR
