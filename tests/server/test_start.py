"""What a plain server loads before it listens, and serves WebSockets with."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = textwrap.dedent("""
    import asyncio, gc, sys

    from wslink import App

    app = App()

    @app.method("add")
    def add(a: int, b: int) -> int:
        return a + b

    UPGRADE = (
        b"GET /ws HTTP/1.1\\r\\nHost: here\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n\\r\\n"
    )

    async def ask(port: int, head: bytes) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        status = (await reader.readline()).split()[1].decode()
        writer.transport.abort()
        return status

    async def serve() -> None:
        server = await app.serve(port=0, host="127.0.0.1", ready_msg="", handle_signals=False)
        upgraded = await ask(server.port, UPGRADE)
        loaded = " ".join(sys.modules)
        found = await ask(server.port, b"GET /health HTTP/1.1\\r\\nHost: here\\r\\n\\r\\n")
        print(gc.isenabled(), gc.get_freeze_count(), upgraded, found, "aiohttp" in sys.modules)
        print(loaded)
        await server.stop()

    asyncio.run(serve())
""")

NOT_FOR_ALL = (
    "wslink.client", "wslink.cluster", "wslink.compat", "wslink.contract", "wslink.http.asgi", "wslink.http.handoff",
    "wslink.http.reverse", "wslink.launcher", "wslink.notebook", "wslink.observe", "wslink.proxy", "wslink.relay",
    "wslink.replay", "wslink.server.inspecting", "wslink.server.supervisor", "wslink.testing", "wslink.tools",
    "wslink.http.serving", "wslink.server.routes", "wslink.transport.aiohttp", "wslink.transport.asgi",
    "wslink.transport.comm",
    "aiohttp", "cryptography", "importlib.metadata", "nats", "numpy", "opentelemetry", "prometheus_client", "psutil",
    "redis", "tomllib", "tornado", "uvloop", "yarl",
)  # fmt: skip
"""Loaded where an application uses what they are for."""


def test_a_plain_server_loads_nothing_that_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    collecting, modules = done.stdout.splitlines()
    loaded = set(modules.split())
    assert {"picows", "wslink.transport.picows.engine"} <= loaded
    assert not [name for name in sorted(loaded) if name.startswith(tuple(f"{one}." for one in NOT_FOR_ALL))]
    assert not loaded & set(NOT_FOR_ALL)
    # Garbage is looked for again, everywhere, and the first page has made aiohttp come.
    assert collecting == "True 0 101 200 True"


def test_an_application_that_looks_for_garbage_itself_goes_on_so() -> None:
    code = """
import gc
kept = [[] for _ in range(1000)]
gc.disable(); gc.freeze()
from wslink import App
print(gc.isenabled(), gc.get_freeze_count() > 1000)
gc.enable()
from wslink import connect
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "True", "True"]
