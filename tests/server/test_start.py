"""What a plain server loads before it listens, and serves WebSockets with."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wslink.lazy import postpone

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
    "wslink.client", "wslink.cluster", "wslink.compat", "wslink.contract", "wslink.http.asgi",
    "wslink.http.handoff", "wslink.http.reverse", "wslink.http.serving", "wslink.hub.application",
    "wslink.hub.contract", "wslink.hub.io_thread", "wslink.hub.on_demand", "wslink.hub.presence", "wslink.launcher",
    "wslink.notebook", "wslink.observe", "wslink.proxy", "wslink.relay", "wslink.replay",
    "wslink.server.inspecting", "wslink.server.routes", "wslink.server.shared_life", "wslink.server.supervisor",
    "wslink.testing", "wslink.tools", "wslink.transport.aiohttp", "wslink.transport.asgi", "wslink.transport.comm",
    "aiohttp", "cryptography", "importlib.metadata", "nats", "numpy", "opentelemetry", "picows.api",
    "prometheus_client", "psutil", "python_socks", "redis", "tomllib", "tornado", "uvloop", "yarl",
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


def test_an_application_uses_all_of_picows_beside_the_engine() -> None:
    code = """
import sys
from wslink.transport.picows.engine import ENGINE
from picows import *
import picows
print("picows.api" in sys.modules, WSListener is sys.modules["picows.picows"].WSListener, callable(ws_connect))
print(picows.common.WSError is picows.WSError)
try:
    picows.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    said = ["True True True", "True", "module 'picows' has no attribute 'nothing'"]
    assert done.stdout.splitlines() == said


class TestPostponed:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A package whose `__init__` counts its runs, and fails while there is a file `broken`."""
        made = tmp_path / "postponed_here"
        made.mkdir()
        (made / "__init__.py").write_text(
            "import pathlib, time\n"
            "here = pathlib.Path(__file__).parent\n"
            "with (here / 'runs').open('a') as runs: runs.write('x')\n"
            "if (here / 'broken').exists(): raise OSError('broken')\n"
            "time.sleep(0.05)\n"
            "from .part import here as there\n"
            "VALUE = 1\n"
        )
        (made / "part.py").write_text("here = 2\n")
        monkeypatch.syspath_prepend(tmp_path)
        yield made
        for name in [name for name in sys.modules if name.partition(".")[0] == "postponed_here"]:
            del sys.modules[name]

    def runs(self, package: Path) -> int:
        return len((package / "runs").read_text()) if (package / "runs").exists() else 0

    def test_modules_are_imported_without_the_package(self, package: Path) -> None:
        postpone("postponed_here")
        assert importlib.import_module("postponed_here.part").here == 2
        assert self.runs(package) == 0
        assert importlib.import_module("postponed_here").VALUE == 1
        assert importlib.import_module("postponed_here").there == 2
        assert self.runs(package) == 1

    def test_a_package_that_fails_says_so_and_is_run_again(self, package: Path) -> None:
        (package / "broken").touch()
        postpone("postponed_here")
        module = importlib.import_module("postponed_here")
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                module.VALUE  # noqa: B018 - read for its effect
        (package / "broken").unlink()
        assert module.VALUE == 1

    def test_threads_wait_for_the_one_that_runs_it(self, package: Path) -> None:
        postpone("postponed_here")
        module = importlib.import_module("postponed_here")
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: module.VALUE, range(4))) == [1] * 4
        assert self.runs(package) == 1

    def test_what_is_imported_or_missing_stays_so(self, package: Path) -> None:
        module = importlib.import_module("postponed_here")
        postpone("postponed_here")
        postpone("postponed_nowhere")
        assert sys.modules["postponed_here"] is module
        assert "postponed_nowhere" not in sys.modules
        assert self.runs(package) == 1


def test_a_server_of_the_released_api_listens_without_aiohttp() -> None:
    """Unless the application has touched `server.app`."""
    program = textwrap.dedent("""
        import asyncio, sys

        from wslink.backends import create_webserver
        from wslink.websocket import ServerProtocol

        server = create_webserver({
            "host": "127.0.0.1", "port": 0, "ws": {"ws": ServerProtocol()}, "timeout": 0, "ssl": None,
        })

        async def serve() -> None:
            task = asyncio.ensure_future(server.start(lambda port: None))
            while not server.get_port():
                await asyncio.sleep(0.01)
            print("aiohttp" in sys.modules)
            await server.stop()
            await task

        asyncio.run(serve())
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split()[-1] == "False"
