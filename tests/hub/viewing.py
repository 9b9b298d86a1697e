"""A viewer of frames that are rendered on demand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App

FLOW = {"features": ["subscribe", "flow"]}


async def viewer_of(app: App, serve: Serve, peers: Open, *, url: str = "", **subscription: Any) -> Peer:
    """A client with `flow` that has subscribed to "view.frame"."""
    peer = await peers(url or await serve(app), hello=FLOW)
    peer.acknowledges = True
    request = {"subscription": 1, "topic": "view.frame", **subscription}
    assert "result" in await peer.system("wslink.subscribe", request)
    return peer


async def frame(peer: Peer, count: int | None = None) -> Any:
    """The next frame; the client says that it has dealt with `count` of them."""
    payload = (await asyncio.wait_for(peer.publication(), 15))["result"]
    if count is not None:
        await peer.extension(2, 1, count, 1)
    return payload


async def rest(peer: Peer, count: int = 0) -> int:
    """Deal with frames until one of rest has come; how many there have been."""
    while True:
        count += 1
        if (await frame(peer, count if peer.acknowledges else None))["still"]:
            return count


async def quiet(peer: Peer, seconds: float = 0.4) -> bool:
    """Whether nothing comes for a while."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(peer.publication(), seconds)
        return False
    return True
