"""Connecting that is given up, at any moment."""

from __future__ import annotations

import asyncio

import pytest

import wslink
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, Limits


@pytest.mark.parametrize("kind", ["inside", "socket"])
async def test_a_cancelled_connect_never_returns_a_link_and_leaves_no_client(serve: Serve, kind: str) -> None:
    """Also where the cancellation comes together with the server's welcome."""
    app = App(secret="secret", limits=Limits(resume_window=0.1))
    url = await serve(app)

    async def connect() -> wslink.Link:
        return await (app.connect() if kind == "inside" else wslink.connect(url, secret="secret"))

    links = 0
    for turns in range(120):
        task = asyncio.ensure_future(connect())
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait({task})
            assert task.cancelled(), f"after {turns} turns of the event loop"
        else:
            links += 1
            await task.result().close()
            if links == 3:
                break
    assert links > 0 or kind == "socket"
    await until(lambda: not app.clients)
