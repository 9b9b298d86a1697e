"""The import paths of the released API: the modules of `wslink.compat` under their old names."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PATHS = {
    **{
        f"wslink.{name}": name
        for name in ["core", "emitter", "websocket", "protocol", "publish", "chunking", "uri", "ssl_context"]
    },
    "wslink.backends": "backends",
    "wslink.backends.aiohttp": "aiohttp",
    "wslink.backends.aiohttp.launcher": "launcher",
    "wslink.backends.aiohttp.relay": "relay",
    "wslink.backends.generic": "generic",
    "wslink.backends.generic.core": "generic",
    "wslink.backends.tornado": "tornado",
    "wslink.backends.tornado.core": "tornado",
}


@pytest.mark.parametrize(("path", "home"), PATHS.items())
def test_a_frozen_path_is_the_module_itself(path: str, home: str) -> None:
    if "tornado" in path:
        pytest.importorskip("tornado")
    assert importlib.import_module(path) is importlib.import_module(f"wslink.compat.{home}")


def test_what_an_application_assigns_is_what_servers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from wslink.backends import aiohttp
    from wslink.compat import webapp

    monkeypatch.setattr(aiohttp, "HTTP_HEADERS", {"X-Application": "yes"})
    assert webapp.settings.HTTP_HEADERS == {"X-Application": "yes"}


@pytest.mark.parametrize("first", sorted(PATHS))
def test_each_path_can_be_imported_first(first: str) -> None:
    if "tornado" in first:
        pytest.importorskip("tornado")
    program = f"import {first}; import wslink; wslink.App"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_program_that_serves_an_app_loads_nothing_that_serving_does_not_need() -> None:
    program = """
import asyncio, sys, wslink
async def serve():
    async with await wslink.App().serve(port=0, host="127.0.0.1", ready_msg=""):
        print(*sorted(sys.modules))
asyncio.run(serve())
"""
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    unneeded = ("wslink.compat", "wslink.client", "wslink.cluster", "wslink.observe", "wslink.http.asgi")
    assert "wslink.http.site" in loaded
    assert not [name for name in loaded if name.startswith(unneeded)]


def test_a_program_that_makes_an_app_alone_loads_no_compatibility_api() -> None:
    program = "import sys, wslink; wslink.App(); print([name for name in sys.modules if 'wslink.compat' in name])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
