"""Passing the connection of a WebSocket request to its target, if that runs on this machine and accepts it."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from aiohttp import web

from wslink.proxy import fd_passing
from wslink.proxy.takeover import take_over


async def pass_connection(request: web.Request, path: str, head: bytes, usage: fd_passing.Usage) -> bool:
    """Pass the connection of `request` to the process that listens at `path`.

    Args:
        head: the head of the request for that process.
        usage: notified while it holds the connection.

    Returns:
        Whether it has accepted it. If not, nothing has changed.
    """
    if not _is_fit(request):
        return False
    try:
        control = fd_passing.dial(path)
    except OSError:
        return False
    loop = asyncio.get_running_loop()
    link, _ = await loop.create_unix_connection(lambda: usage, sock=control)
    try:
        if not _is_fit(request):  # any more
            raise ConnectionResetError
        # No awaits from here on: what the client sends next must be read by only one process.
        fd_passing.give(control, head, _descriptor(request))
    except OSError:
        link.abort()
        return False
    take_over(request, _Leaving())
    return True


async def follow(path: str, usage: fd_passing.Usage) -> None:
    """Count the connections that an earlier launcher passed to the process that listens at `path`."""
    try:
        control = fd_passing.dial(path)
    except OSError:
        return
    await asyncio.get_running_loop().create_unix_connection(lambda: usage, sock=control)
    control.shutdown(socket.SHUT_WR)


class _Leaving(asyncio.Protocol):
    """Closes this process's copy of a connection. The connection itself stays open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


def _is_fit(request: web.Request) -> bool:
    """Whether the request has been read completely and nothing remains to be sent before its response."""
    transport = request.transport
    return (
        transport is not None
        and not transport.is_closing()
        and transport.get_extra_info("sslcontext") is None
        and transport.get_write_buffer_size() == 0
        and request.method == "GET"
        and not request.body_exists
    )


def _descriptor(request: web.Request) -> int:
    assert request.transport is not None
    return cast(int, request.transport.get_extra_info("socket").fileno())
