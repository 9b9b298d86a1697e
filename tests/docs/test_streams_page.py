"""docs/streams.md: its server, its page's script in Node, and its Python client."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.docs.blocks import ROOT, block
from tests.docs.programs import SECRET, done, running

STREAMS = "docs/streams.md"
PAGE = """
import {{ connect }} from "{client}";

const link = await connect("ws://localhost:{port}/ws", {{ secret: "{secret}" }});
{blocks}
console.log(JSON.stringify({{ sizes, hits, digest, scaled }}));
await link.close();
"""
CLIENT = """
import asyncio
from collections.abc import AsyncIterator

import wslink

{blocks}


async def main():
    async with wslink.connect("ws://localhost:{port}/ws", secret="{secret}") as link:
        print(await read(link), await send(link))


asyncio.run(main())
"""
DIGEST = hashlib.sha256(bytes(3_000_000)).hexdigest()
HITS = [f"bunny {number}" for number in range(5)]


async def test_the_server_the_page_and_the_client(tmp_path: Path) -> None:
    server = [*(block(STREAMS, "python", number) for number in (0, 1, 3)), "app.run(port=0)"]
    (tmp_path / "server.py").write_text("\n\n".join(server))
    async with running(tmp_path, "python server.py", WSLINK_SECRET=SECRET) as port:
        blocks = "\n".join(block(STREAMS, "js", number) for number in range(2))
        page = PAGE.format(client=ROOT / "js" / "dist" / "index.js", port=port, secret=SECRET, blocks=blocks)
        (tmp_path / "page.mjs").write_text(page)
        said = json.loads(await done(tmp_path, "node", "page.mjs"))
        blocks = "\n\n".join(block(STREAMS, "python", number) for number in (2, 4))
        (tmp_path / "client.py").write_text(CLIENT.format(blocks=blocks, port=port, secret=SECRET))
        printed = (await done(tmp_path, "python", "client.py")).strip()
    assert said == {"sizes": [12, 24, 48], "hits": HITS, "digest": f"points: {DIGEST}", "scaled": [2, 5]}
    assert printed == f"{HITS} points: {DIGEST}"
