"""docs/calls.md: its server in Python, its page's script in Node, and its Python client."""

from __future__ import annotations

import json
from pathlib import Path

from tests.docs.blocks import ROOT, block
from tests.docs.programs import SECRET, done, running

CALLS = "docs/calls.md"
PAGE = """
import {{ ErrorCode, MethodError, connect }} from "{client}";

const link = await connect("ws://localhost:{port}/ws", {{ secret: "{secret}" }});
const seen = [];
{blocks}
const described = await link.call("view.describe");
remove();
const gone = await link.call("view.describe").catch(({{ message }}) => message);
console.log(JSON.stringify({{ refined, seen, superseded, last, described, gone }}));
await link.close();
"""
CLIENT = """
import asyncio

{block}


async def main():
    serving = asyncio.ensure_future(serve_the_server("ws://localhost:{port}/ws", "{secret}"))
    await asyncio.sleep(0.5)
    async with wslink.connect("ws://localhost:{port}/ws", secret="{secret}") as link:
        print(await link.call("test.sizes"))
    serving.cancel()


asyncio.run(main())
"""
MORE = """
@app.method("test.sizes")
async def sizes(call: Call) -> list:
    outcomes = await app.call_all("view.size", timeout=5)
    images = await app.call_all("view.render", "dragon", 101, timeout=5)
    codes = [getattr(outcome, "code", outcome) for outcome in images.values()]
    return [[outcome for outcome in outcomes.values() if isinstance(outcome, list)], sorted(codes)]


app.run(port=0)
"""


async def test_the_pages_script_and_the_client_meet_the_server(tmp_path: Path) -> None:
    server = [*(block(CALLS, "python", number) for number in range(4)), MORE]
    (tmp_path / "server.py").write_text("\n\n".join(server))
    async with running(tmp_path, "python server.py", WSLINK_SECRET=SECRET) as port:
        blocks = "\n".join(block(CALLS, "js", number) for number in range(3))
        page = PAGE.format(client=ROOT / "js" / "dist" / "index.js", port=port, secret=SECRET, blocks=blocks)
        (tmp_path / "page.mjs").write_text(page)
        said = json.loads(await done(tmp_path, "node", "page.mjs"))
        (tmp_path / "client.py").write_text(CLIENT.format(block=block(CALLS, "python", 4), port=port, secret=SECRET))
        sizes = (await done(tmp_path, "python", "client.py")).strip()
    assert (said["refined"], said["seen"][-1]) == ("refined", 1)
    assert 0 < said["superseded"] < 20
    assert said["last"] == 19
    image = {"scene": "dragon", "format": "jpeg", "aborted": False}
    assert {key: said["described"]["image"][key] for key in image} == image
    assert (said["described"]["size"], said["described"]["clients"]) == ([640, 480], 1)
    assert "view.size" in said["gone"]
    assert sizes == "[[[320, 240]], [-32601, 7]]"
