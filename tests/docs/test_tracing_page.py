"""docs/tracing.md: its server, its page's script in Node, and its Python client, in traces that they share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.docs.blocks import ROOT, block
from tests.docs.programs import SECRET, done, running

TRACING = "docs/tracing.md"
SETUP = """
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
opentelemetry.trace.setGlobalTracerProvider(provider);
opentelemetry.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
let draw;
const seen = new Promise((resolve) => (draw = resolve));
"""
END = """
await turn(30);
const frame = await seen;
await new Promise((resolve) => setTimeout(resolve, 10));
const spans = exporter.getFinishedSpans().map((span) => [span.name, span.spanContext().traceId]);
console.log(JSON.stringify({ frame, spans }));
await link.close();
"""
CLIENT = """
import asyncio
import wslink

{block}

print(asyncio.run(turn("ws://localhost:{port}/ws", "{secret}")))
"""


def exported(text: str) -> list[dict[str, Any]]:
    """The spans that a ConsoleSpanExporter wrote."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        span, end = decoder.raw_decode(text)
        found.append(span)
        text = text[end:]
    return found


async def test_the_click_is_followed_through_the_server(tmp_path: Path) -> None:
    server = block(TRACING, "python", 0).replace("ConsoleSpanExporter()", "ConsoleSpanExporter(out=open('spans', 'w'))")
    (tmp_path / "server.py").write_text(server.replace("app.run(traces=True)", "app.run(traces=True, port=0)"))
    async with running(tmp_path, "python server.py", WSLINK_SECRET=SECRET) as port:
        (tmp_path / "node_modules").symlink_to(ROOT / "js" / "node_modules")
        page = block(TRACING, "js", 0).replace("ws://localhost:8080", f"ws://localhost:{port}")
        for name, file in (
            ("wslink/client.js", ROOT / "js" / "dist" / "client" / "index.js"),
            ("wslink/trace", ROOT / "js" / "dist" / "client" / "trace.js"),
        ):
            page = page.replace(f'"{name}"', f'"{file}"')
        imports, _, rest = page.partition("\n\n")
        secret = f"const secret = {json.dumps(SECRET)};"
        (tmp_path / "page.mjs").write_text("\n".join((imports, SETUP, secret, rest, END)))
        said = json.loads(await done(tmp_path, "node", "page.mjs"))
        client = CLIENT.format(block=block(TRACING, "python", 1), port=port, secret=SECRET)
        (tmp_path / "client.py").write_text(client)
        assert (await done(tmp_path, "python", "client.py")).strip() == "seen from 30 degrees"
    assert said["frame"] == "seen from 30 degrees"
    (trace,) = {id_ for name, id_ in said["spans"] if name == "click"}
    ours = sorted(name for name, id_ in said["spans"] if id_ == trace)
    assert ours == ["click", "view.rotate", "wslink.callback", "wslink.decode", "wslink.decode"]
    spans = exported((tmp_path / "spans").read_text())
    theirs = sorted(span["name"] for span in spans if span["context"]["trace_id"] == f"0x{trace}")
    assert theirs == ["render", "view.rotate", "wslink.encode", "wslink.encode", "wslink.method", "wslink.queue"]
