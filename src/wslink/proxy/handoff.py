"""Giving the connection of a WebSocket request to its target, where that runs on this machine and takes it."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from aiohttp import web

from wslink.proxy import fd_passing
from wslink.proxy.takeover import take_over


async def pass_connection(request: web.Request, path: str, head: bytes, usage: fd_passing.Usage) -> bool:
    """Give the connection of `request` to the process that listens at `path`.

    Args:
        head: what that process is to take for the request.
        usage: told while it holds the connection.

    Returns:
        Whether it has it. If not, nothing has happened.
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
        # From here on nothing waits: what the client sends next has to be read by one process alone.
        fd_passing.give(control, head, _descriptor(request))
    except OSError:
        link.abort()
        return False
    take_over(request, _Leaving())
    return True


async def follow(path: str, usage: fd_passing.Usage) -> None:
    """Count the connections that an earlier launcher handed over to the process that listens at `path`."""
    try:
        control = fd_passing.dial(path)
    except OSError:
        return
    await asyncio.get_running_loop().create_unix_connection(lambda: usage, sock=control)
    control.shutdown(socket.SHUT_WR)


class _Leaving(asyncio.Protocol):
    """Closes this process's copy of a connection. The connection itself goes on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


def _is_fit(request: web.Request) -> bool:
    """Whether all of the request has been read and nothing remains to be sent before its answer."""
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
