"""The one place that uses names which aiohttp does not promise. tests/backends/test_private.py notices when they
move."""

from __future__ import annotations

import asyncio

from aiohttp import ClientWebSocketResponse, web


def compress_per_message(socket: web.WebSocketResponse | ClientWebSocketResponse) -> int:
    """Let `socket` compress only the frames that ask for it; returns what they ask with, or 0 if nothing was
    negotiated.

    aiohttp compresses all frames of a connection or none, images included.
    """
    negotiated = socket.compress
    writer = socket._writer
    if negotiated and writer is not None:
        writer.compress = 0
    return int(negotiated)


def client_transport(socket: ClientWebSocketResponse) -> asyncio.BaseTransport | None:
    """What a WebSocket that we dialed writes to."""
    connection = socket._response.connection
    return connection.transport if connection is not None else None
