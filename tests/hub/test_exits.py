"""Functions of the application that exit or are interrupted: what they were called for fails, and no more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Open, Serve
from wslink import App

FEATURES = {"secret": "secret", "features": ["subscribe"]}


def exits(*_: Any) -> Any:
    sys.exit(2)


def interrupted(*_: Any) -> Any:
    raise KeyboardInterrupt


async def exits_later(*_: Any) -> Any:
    await asyncio.sleep(0)
    sys.exit(2)


WAYS = pytest.mark.parametrize("way", [exits, interrupted, exits_later])


async def is_served(app: App, url: str, peers: Open) -> bool:
    peer = await peers(url, hello=FEATURES)
    return bool((await peer.call("test.quick"))["result"] == 7)


@WAYS
@pytest.mark.parametrize("handler", ["on_connect", "on_disconnect", "on_subscribe", "on_unsubscribe"])
async def test_a_handler(app: App, serve: Serve, peers: Open, way: Callable[..., Any], handler: str) -> None:
    topic = app.topic("test.topic")
    app.method("test.quick")(lambda: 7)
    getattr(topic if "subscribe" in handler else app, handler)(way)
    url = await serve(app)
    peer = await peers(url, hello=FEATURES)
    assert "result" in await peer.subscribe(1, "test.topic")
    assert (await peer.call("test.quick"))["result"] == 7
    await peer.close()
    assert await is_served(app, url, peers)


@WAYS
async def test_an_authentication_refuses_the_client(
    app: App, serve: Serve, peers: Open, way: Callable[..., Any]
) -> None:
    app.authenticate(way)
    peer = await peers(await serve(app))
    assert "error" in await peer.hello("secret")
    assert "error" in await peer.hello("secret")
