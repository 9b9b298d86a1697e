"""The Jupyter examples in a real kernel: what a page would send crosses the comm `wslink_comm`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgpack
import pytest
from jupyter_client.manager import AsyncKernelManager

from tests.peers import Peer

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]  # the kernel's libraries have their own
ROOT = Path(__file__).parent.parent.parent


class Kernel:
    """A running kernel, and one comm into it that several pages share."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.frames: list[tuple[dict[str, Any], list[memoryview]]] = []

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator[Kernel]:
        manager = AsyncKernelManager()
        await manager.start_kernel(cwd=str(ROOT))
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            yield cls(client)
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    async def run(self, code: str) -> str:
        """Run a cell to its end; the HTML that it shows."""
        return await self.idle(self.client.execute(code))

    async def idle(self, request: str) -> str:
        """Wait until a request is done with; the HTML that it shows."""
        html = ""
        while True:
            message = await self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request:
                continue
            assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return html
            if message["msg_type"] == "display_data":
                html += message["content"]["data"].get("text/html", "")
            if message["msg_type"] == "comm_open":  # trame shows a widget where ipywidgets is installed
                html += str(message["content"]["data"].get("state", {}).get("value", ""))

    def send(self, kind: str, content: dict[str, Any], buffers: list[bytes] | None = None) -> str:
        message = self.client.session.msg(kind, {"comm_id": "the-comm", **content})
        self.client.session.send(self.client.shell_channel.socket, message, buffers=buffers or [])
        return str(message["header"]["msg_id"])

    async def open_comm(self) -> None:
        await self.idle(self.send("comm_open", {"target_name": "wslink_comm", "data": {}}))

    async def close_comm(self) -> None:
        await self.idle(self.send("comm_close", {"data": {}}))

    async def receive(self, address: dict[str, str]) -> bytes:
        """The next frame for a page; those for others are kept for them."""
        while True:
            for index, (data, buffers) in enumerate(self.frames):
                if data == address:
                    del self.frames[index]
                    return bytes(buffers[0])
            message = await self.client.get_iopub_msg(timeout=30)
            assert message["msg_type"] not in ("error", "comm_close"), message["content"]
            if message["msg_type"] == "comm_msg":
                self.frames.append((message["content"]["data"], message["buffers"]))


class Page:
    """Stands in for a WebSocket of aiohttp, so that a Peer talks over the comm."""

    def __init__(self, kernel: Kernel, server: str, client: str) -> None:
        self.kernel = kernel
        self.address = {"server": server, "client": client}

    async def send_bytes(self, data: bytes) -> None:
        self.kernel.send("comm_msg", {"data": self.address}, [data])

    async def receive(self, timeout: float | None = None) -> Any:
        return SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=await self.kernel.receive(self.address))


def peer(kernel: Kernel, server: str, client: str = "page-1") -> Peer:
    return Peer(None, Page(kernel, server, client), 2)  # type: ignore[arg-type]


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    async with Kernel.start() as started:
        yield started


async def test_a_protocol_in_a_kernel(kernel: Kernel) -> None:
    await kernel.run("from examples.jupyter.link import serve; serve('demo')")
    await kernel.open_comm()

    stranger = peer(kernel, "demo", "page-0")
    assert (await stranger.hello("guessed"))["error"]["code"] == -32000
    assert (await stranger.call("example.mean"))["error"]["code"] == -32000

    one, two = peer(kernel, "demo", "page-1"), peer(kernel, "demo", "page-2")
    for page in (one, two):
        assert "result" in await page.hello("wslink-secret")
    samples = bytes(range(256)) * 20_000  # several chunks, were they not buffers of a comm
    assert (await one.call("example.append", samples))["result"] == len(samples)
    assert (await two.call("example.mean"))["result"] == 127.5
    assert (await two.call("example.read"))["result"] == {"samples": samples}
    for page in (one, two):
        assert (await page.publication())["result"] == len(samples)
    failed = await one.call("example.append", "text")
    assert failed["error"]["code"] == -32001

    # A page that comes back over another comm begins anew; the server and its samples are still there.
    await kernel.close_comm()
    await kernel.open_comm()
    again = peer(kernel, "demo", "page-1")
    assert (await again.call("example.mean"))["error"]["code"] == -32000
    await again.hello("wslink-secret")
    assert (await again.call("example.mean"))["result"] == 127.5


@pytest.mark.skipif(find_spec("trame") is None, reason="scripts/test applications runs it")
async def test_trame_in_a_notebook(kernel: Kernel) -> None:
    notebook = json.loads((ROOT / "examples/jupyter/greeter.ipynb").read_text())
    *_, shown = [await kernel.run("".join(cell["source"])) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "<iframe" in shown
    assert "server=greeter&wsProxy" in shown  # for the extension, which opens the comm
    await kernel.open_comm()
    page = peer(kernel, "greeter")
    assert "result" in await page.hello("wslink-secret")
    assert (await page.call("trame.state.get"))["result"]["state"]["greeting"] == "Hello world"
    data = bytes(range(256)) * 20_000
    assert (await page.call("trame.trigger", "reverse", [data], {}))["result"] == data[::-1]

    await page.call("trame.state.update", [{"key": "name", "value": "kernel"}])
    while True:
        publication = await page.publication()
        if b"Hello kernel" in msgpack.packb(publication):
            break
    assert publication["id"].startswith("publish:trame.state.topic:")
