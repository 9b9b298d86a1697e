"""OpenTelemetry as an application sets it up, with exporters in memory. A process has one provider of each kind."""

from __future__ import annotations

import functools

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recorded:
    """What has been recorded since the last `clear`."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([self._reader]))

    def clear(self) -> None:
        self._exporter.clear()

    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in the order of their beginning."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str, kind: str = "SERVER") -> ReadableSpan:
        """The last span of that name and kind."""
        return next(span for span in reversed(self.spans()) if (span.name, span.kind.name) == (name, kind))

    def paths(self, trace_id: int | None = None) -> list[str]:
        """Each span of a trace, or of all, as its way up to the root: names, and the first letters of kinds."""
        spans = {span.context.span_id: span for span in self.spans()}

        def path(span: ReadableSpan) -> str:
            own = f"{span.name} {span.kind.name[0]}"
            if span.parent is None:
                return own
            above = spans.get(span.parent.span_id)
            return f"{own} < {path(above) if above is not None else '?'}"

        return sorted(path(span) for span in spans.values() if trace_id in (None, span.context.trace_id))

    def counts(self, histogram: str) -> dict[frozenset[tuple[str, object]], int]:
        """How many values a histogram has, by their attributes."""
        data = self._reader.get_metrics_data()
        points = [
            point
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == histogram
            for point in metric.data.data_points
        ]
        return {
            frozenset((point.attributes or {}).items()): point.count
            for point in points
            if isinstance(point, HistogramDataPoint)
        }


@functools.cache
def recorded() -> Recorded:
    """That of this process."""
    return Recorded()
