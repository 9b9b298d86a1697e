"""The tutorial's blocks, put together in their order: a server in Python, and a page's script in Node.

tests/browser/tutorial.test.js shows its page.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, block
from tests.docs.programs import SECRET, done, running

PAGE = """
import {{ connect }} from "{client}";

const link = await connect("ws://localhost:{port}/ws", {{ secret: "{secret}" }});
const rows = [];
const draw = (tile) => rows.push([tile.row, tile.pixels.shape, tile.pixels.dtype]);
{blocks}
const drawn = async () => {{
  const missing = () => [4, 5, 6].some((wanted) => rows.every(([row]) => row !== wanted));
  while (missing()) await new Promise((resolve) => setTimeout(resolve, 10));
  return rows.splice(0);
}};
const first = await drawn();
await link.call("terrain.light", [315]);
const lit = await drawn();
const wrong = await link.call("terrain.profile", [[[0, "0"]]]).catch(({{ code, message }}) => [code, message]);
const many = await link.call("terrain.profile", [Array(10001).fill([0, 0])]).catch(({{ data }}) => data);
console.log(JSON.stringify({{ heights, first, lit: lit.map(([row]) => row), wrong, many }}));
await link.close();
"""
TUTORIAL = "docs/tutorial.md"


async def test_the_tutorials_viewer(tmp_path: Path) -> None:
    server = "\n\n".join(block(TUTORIAL, "python", number) for number in range(4))
    (tmp_path / "www").mkdir()
    (tmp_path / "server.py").write_text(server.replace("port=8080", "port=0"))
    async with running(tmp_path, "python server.py", WSLINK_SECRET=SECRET) as port:
        blocks = "\n".join(block(TUTORIAL, "js", number) for number in range(2))
        client = ROOT / "js" / "dist" / "index.js"
        page = PAGE.format(client=client, port=port, secret=SECRET, blocks=blocks)
        (tmp_path / "page.mjs").write_text(page)
        said = json.loads(await done(tmp_path, "node", "page.mjs"))
    assert said["heights"] == pytest.approx([50, 50 + 25 * math.sin(0.5)])
    assert {row for row, _, _ in said["first"]} <= {3, 4, 5, 6}, "the rows of the filters alone"
    assert all(tile[1:] == [[64, 512, 4], "|u1"] for tile in said["first"])
    assert set(said["lit"]) == {4, 5, 6}
    assert said["many"] == {"max": 10_000}
    code, message = said["wrong"]
    [promised] = re.findall(rf"with code {code} that\s+says `(.*)`", (ROOT / TUTORIAL).read_text())
    assert promised in message.replace("`", "")
