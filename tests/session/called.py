"""Clients that the server calls."""

from __future__ import annotations

from typing import Any

from tests.peers import Peer
from wslink import App, Client

FEATURES = ["handle", "cancel", "progress", "arrays"]


def of(app: App, peer: Peer) -> Client:
    return app.clients[peer.client_id]


async def answer(peer: Peer, id_: str, **outcome: Any) -> None:
    await peer.send({"wslink": "1.0", "id": id_, **outcome})
