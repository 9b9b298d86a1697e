"""A server of this project whose spans go to an exporter in memory, which a method reads."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wslink import App, Call, MethodError

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

app = App(secret="s3cret")
frames = app.topic("view.frame", delivery="latest")


@app.method("view.rotate")
def rotate(angle: float) -> float:
    frames.publish({"angle": angle}, {"view": 1})
    return angle


@app.method("view.render", run="thread")
def render() -> None:
    with trace.get_tracer("application").start_as_current_span("draw"):
        frames.publish(bytes(100_000), {"view": 2})


@app.method("view.measure")
async def measure(call: Call) -> Any:
    return await call.client.call("page.width")


@app.method("view.parts")
async def parts(count: int) -> Any:
    for part in range(count):
        yield part


@app.method("view.fail")
async def fail() -> None:
    raise MethodError("no", code=-5)


@app.method("test.tick")
def tick() -> None:
    """Publish outside of any call, as a simulation does."""
    asyncio.get_running_loop().call_soon(frames.publish, "tick", context=contextvars.Context())


@app.method("test.spans")
def spans() -> list[dict[str, Any]]:
    """Those that have ended."""
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "traceId": f"{span.context.trace_id:032x}",
            "spanId": f"{span.context.span_id:016x}",
            "parentId": f"{span.parent.span_id:016x}" if span.parent else None,
            "attributes": dict(span.attributes or {}),
        }
        for span in exporter.get_finished_spans()
    ]


async def main() -> None:
    server = await app.serve(port=0, host="127.0.0.1", ready_msg="", handle_signals=False, traces=True)
    print(f"port {server.port}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
