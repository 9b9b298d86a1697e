"""What a server says of a disconnection, in close frames of every transport, which hold 123 bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import wslink
from tests.asgi_server import under_uvicorn
from wslink import App, UsageError

REASONS = ["the show is over", "x" * 200, "ü" * 100, "\ud800", ""]


@asynccontextmanager
async def linked(app: App, where: str) -> AsyncIterator[wslink.Link]:
    if where == "inside":
        async with app.connect() as link:
            yield link
    elif where == "asgi":
        async with (
            under_uvicorn(app.asgi()) as port,
            wslink.connect(f"ws://127.0.0.1:{port}/ws", secret="secret") as link,
        ):
            yield link
    else:
        served = await app.serve(port=0, engine=where, handle_signals=False, ready_msg="")
        async with served, wslink.connect(f"ws://localhost:{served.port}/ws", secret="secret") as link:
            yield link


@pytest.mark.parametrize("reason", REASONS, ids=ascii)
@pytest.mark.parametrize("where", ["picows", "aiohttp", "asgi", "inside"])
async def test_a_client_is_disconnected_whatever_is_said(app: App, where: str, reason: str) -> None:
    async with linked(app, where) as link:
        app.clients[link.client_id].disconnect(reason)
        end = await asyncio.wait_for(link.wait_closed(), 5)
        assert end.code == 4002
        if where == "inside":
            return
        said = reason.encode(errors="replace")[:123].decode(errors="ignore")
        assert end.reason == said
        assert link.client_id not in app.clients


async def test_a_reason_is_text(app: App) -> None:
    async with app.connect() as link:
        with pytest.raises(UsageError, match="a reason is text, not 5"):
            app.clients[link.client_id].disconnect(5)  # type: ignore[arg-type]
