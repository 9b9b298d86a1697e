"""The README's programs and commands. Its page is run by tests/browser/readme.test.js."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from importlib.metadata import metadata
from pathlib import Path

import aiohttp
import pytest

from tests.docs.blocks import ROOT, block
from tests.docs.programs import SECRET, done, running


async def test_the_python_client_meets_the_server(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "server.py").write_text(block("README.md", "python").replace("port=8080", "port=0"))
    async with running(tmp_path, "python server.py", WSLINK_SECRET=SECRET) as port:
        client = block("docs/README.md", "python").replace("localhost:8080", f"localhost:{port}")
        (tmp_path / "client.py").write_text(client)
        printed = await done(tmp_path, "python", "client.py", WSLINK_SECRET=SECRET)
    assert printed == f"1 viewers\n{bytes([200, 80, 99, 255])}\n"


def test_every_extra_is_in_the_table() -> None:
    table = (ROOT / "docs" / "README.md").read_text().split("| extra | for |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(metadata("wslink").get_all("Provides-Extra") or [])


@pytest.mark.timeout(120)
async def test_the_demo_starts() -> None:
    pytest.importorskip("matplotlib")
    demo, test = (shlex.split(line, comments=True) for line in block("README.md", "bash").splitlines())
    assert (ROOT / ".ci" / "run").read_text().endswith(f"exec {test[0]}\n"), "what CI runs"
    assert os.access(ROOT / test[0], os.X_OK)
    async with (
        running(ROOT, f"{demo[0]} --port 0") as port,
        aiohttp.ClientSession() as http,
        http.get(f"http://localhost:{port}/") as page,
    ):
        assert page.status == 200
        assert "main.js" in await page.text()


async def test_a_plain_method_has_the_loop_to_itself_and_a_threaded_one_has_not(tmp_path: Path) -> None:
    """What the README says about slow calls."""
    import time

    import wslink
    from wslink import App

    app = App(secret=SECRET)
    app.method("slow.plain")(lambda: time.sleep(0.3))
    app.method("slow.threaded", thread=True)(lambda: time.sleep(0.3))
    app.method("slow.async")(_sleep)
    app.method("quick")(lambda: None)
    server = await app.serve(port=0, ready_msg="", handle_signals=False)
    try:
        async with wslink.connect(f"ws://localhost:{server.port}/ws", secret=SECRET) as link:
            for method, beside in (("slow.threaded", True), ("slow.async", True), ("slow.plain", False)):
                started = time.monotonic()
                slow = asyncio.create_task(link.call(method))
                await asyncio.sleep(0.05)
                await link.call("quick")
                assert (time.monotonic() - started < 0.25) is beside, method
                await slow
    finally:
        await server.stop()


async def _sleep() -> None:
    await asyncio.sleep(0.3)
