"""Requests that nobody means: an answer each, no traceback in the log, at every service that has pages."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.conftest import Serve
from tests.transport.places import running
from wslink import App
from wslink.http.origin import may_be_rebound
from wslink.http.run import add_pages
from wslink.websocket import ServerProtocol


async def answered(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return line


@pytest.mark.parametrize("kind", ["pages", "tornado", "aiohttp", "app"])
async def test_names_that_no_file_has(kind: str, app: App, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    paths = {"/a.txt": 200, f"/{'a' * 300}": 404, "/%00": 404, f"/{'%C3%BC' * 150}": 404, f"{'/a' * 3000}": 404}

    async def ask(port: int) -> None:
        async with aiohttp.ClientSession() as session:
            for path, status in paths.items():
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert answer.status == status, path[:20]

    if kind == "pages":  # of the launcher and the relay
        application = web.Application()
        add_pages(application, str(tmp_path))
        async with TestServer(application) as pages:
            await ask(pages.port or 0)
    elif kind in ("tornado", "aiohttp"):
        pytest.importorskip(kind)
        config = {"ws": {"ws": ServerProtocol()}, "static": {"/": str(tmp_path)}}
        async with running(config, kind) as server:
            await ask(server.get_port())
    else:
        await ask(int((await serve(app, content=tmp_path)).split(":")[2].split("/")[0]))


async def test_what_is_no_request_is_no_traceback(app: App, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    port = int((await serve(app)).split(":")[2].split("/")[0])
    with caplog.at_level(logging.INFO):
        for head in (
            b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ):
            assert b" 400 " in await answered(port, head)
    assert "Traceback" not in caplog.text


def test_an_origin_that_is_none_is_not_rebound() -> None:
    for page in ("http://[::1", "null", "", "http://[", "x"):
        assert not may_be_rebound({"Origin": page, "Host": "evil.example"}, (), 8080)
    assert may_be_rebound({"Origin": "HTTP://evil.example:8080", "Host": "evil.example:8080"}, (), 8080)
