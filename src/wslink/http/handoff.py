"""Connections that a launcher's proxy passes to an aiohttp server (proxy/fd_passing.py)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from wslink.http.acceptor import CountedSocket
from wslink.proxy import fd_passing
from wslink.waiting import within

if TYPE_CHECKING:
    from aiohttp import web

logger: logging.Logger = logging.getLogger("wslink.http")

MAX_PENDING = 64
"""Connections that may be on their way at a time; more wait in the backlog, which has the same size."""
TIMEOUT = 2.0
"""Seconds that one has to arrive."""
PAUSE = 0.5
"""Seconds before the next try where none can be accepted."""

_handed_over = contextvars.ContextVar("_handed_over", default=False)

Protocols = Callable[[], asyncio.Protocol]
"""Makes the protocol of a connection."""


async def answer_once(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """A signal handler (on_response_prepare): a connection that was handed over is for one request only.

    Further requests would bypass the launcher, which checks requests and adds where they come from.
    """
    if _handed_over.get() and response.status != 101:
        response.force_close()


class HandoffListener:
    """Accepts connections until it is stopped. Each is served like an accepted connection, beginning with the request
    that came with it.

    Args:
        protocols: creates the server's protocols.
        path: where to listen.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, protocols: Protocols, path: str) -> None:
        self._protocols = protocols
        self._path = path
        self._held: set[CountedSocket] = set()
        self._watches: set[socket.socket] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(MAX_PENDING)
        self._listener = fd_passing.listen(path, MAX_PENDING)
        self._accepting = asyncio.create_task(self._accept())

    def stop(self) -> None:
        """Stop accepting. Accepted connections belong to the server."""
        for task in (self._accepting, *self._pending):
            task.cancel()
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        self._forget_watches()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            try:
                control, _ = await loop.sock_accept(self._listener)
            except OSError:  # such as too many open files
                self._free.release()
                await asyncio.sleep(PAUSE)
                continue
            task = asyncio.create_task(self._receive(control))
            self._pending.add(task)
            task.add_done_callback(self._received)

    def _received(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        self._free.release()

    async def _receive(self, control: socket.socket) -> None:
        try:
            if not fd_passing.same_user(control):
                raise PermissionError("another user wanted to pass a connection")
            head, descriptor = await within(fd_passing.take(control), TIMEOUT)
            if descriptor is None:
                self._watch(control)
            else:
                await self._serve(control, head, descriptor)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            logger.warning("a connection was not accepted: %s", error or "it did not come in time")
            control.close()
        except asyncio.CancelledError:
            control.close()
            raise

    async def _serve(self, control: socket.socket, head: bytes, descriptor: int) -> None:
        try:
            received = CountedSocket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
            raise
        try:
            if received.type != socket.SOCK_STREAM or received.family not in (socket.AF_INET, socket.AF_INET6):
                raise ValueError("what was passed is not a TCP connection")
            received.on_closed = lambda received: self._ended(received, control)
            self._held.add(received)
            control.send(b"+")
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: _Opening(self._protocols(), head), received)
        except BaseException:
            received.close()
            raise

    def _ended(self, received: CountedSocket, control: socket.socket) -> None:
        self._held.discard(received)
        control.close()
        for watch in self._watches:
            with contextlib.suppress(OSError):
                watch.send(b"-")
        if not self._held:
            self._forget_watches()

    def _watch(self, control: socket.socket) -> None:
        """Report how many connections are held, and when they end."""
        if not self._held:
            control.close()
            return
        control.send(b"+" * len(self._held))
        self._watches.add(control)

    def _forget_watches(self) -> None:
        for watch in self._watches:
            watch.close()
        self._watches.clear()


class _Opening(asyncio.Protocol):
    """Passes a connection to aiohttp's protocol with the request that came with it, before anything is read: early data
    from its client must not be taken for a request."""

    def __init__(self, protocol: asyncio.Protocol, head: bytes) -> None:
        self._protocol = protocol
        self._head = head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(self._protocol)
        contextvars.copy_context().run(self._open, cast(asyncio.Transport, transport))

    def _open(self, transport: asyncio.Transport) -> None:
        _handed_over.set(True)
        self._protocol.connection_made(transport)
        self._protocol.data_received(self._head)


def listen_for_handoffs(protocols: Protocols, directory: str, port: int) -> HandoffListener | None:
    """Accept connections for a server that listens on `port`, whose application has the signal handler `answer_once`;
    None if that is not possible."""
    try:
        return HandoffListener(protocols, fd_passing.handoff_path(directory, port))
    except OSError as error:
        logger.info("connections cannot be handed over to this server: %s", error)
        return None
