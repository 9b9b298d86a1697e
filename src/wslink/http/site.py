"""An aiohttp application on a port."""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wslink import settings as environment
from wslink.http.acceptor import Acceptor, Connections
from wslink.http.deferred import Deferred
from wslink.http.fast_path import Adopter, Arrivals
from wslink.http.listen import open_sockets

if TYPE_CHECKING:
    from aiohttp import web

    from wslink.http.handoff import HandoffListener
    from wslink.http.serving import Serving

MAX_CLIENTS = 10_000
"""WebSockets at a time, where nobody says how many."""
MAX_OTHERS = 256
"""Connections beside those: requests for files, and those that have not sent a request yet."""
BACKLOG = 128
"""Connections that the system keeps until they are accepted."""
WARM_UP = 1.0
"""Seconds after which a server that expects requests for files loads what serves them, unless one has come."""

_PLAIN_PATH = re.compile("[A-Za-z0-9/_~-]*")


def is_plain(path: str) -> bool:
    """Whether aiohttp treats a path literally: not as a pattern, without normalizing it, and without refusing it."""
    return _PLAIN_PATH.fullmatch(path) is not None


class Site:
    """Serves an application on every address of a host, and the connections that a launcher hands over to it if
    WSLINK_HANDOFF names a directory.

    A connection has 10 s to send a request's head of less than 16 KiB. If there are too many connections, the one that
    has waited longest without sending a request makes room, or one that does not read its response.

    Args:
        application: the application, or a function that creates it; see `endpoints`.
        tls: for TLS.
        max_clients: how many WebSockets the application accepts.
        endpoints: the endpoints of WebSocket requests for these paths, which `is_plain`, where the application would
            route them. If given, even if empty, the application is not created and aiohttp not loaded before they are
            needed.
        warm_up: seconds from the start until it is created even if it is not needed; None for never.
    """

    def __init__(
        self,
        application: Callable[[], web.Application],
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        max_clients: int = MAX_CLIENTS,
        endpoints: Mapping[str, Adopter] | None = None,
        warm_up: float | None = None,
    ) -> None:
        self._application = application
        self._address = host, port
        self._tls = tls
        self._eager = endpoints is None
        self._warm_up = warm_up
        self._connections = Connections(max_clients + MAX_OTHERS)
        self._http = Deferred(self._serving, (endpoints or {}).values())
        self._arrivals = Arrivals(self._http)
        for path, endpoint in (endpoints or {}).items():
            self._arrivals.know(path, endpoint)
        self._listeners: list[tuple[socket.socket, Any]] = []  # and what accepts there
        self._handoff: HandoffListener | None = None
        self._handoffs = environment.read("WSLINK_HANDOFF", str, "") if tls is None else ""
        self._opening: asyncio.Task[None] | None = None
        self._warming: asyncio.TimerHandle | None = None
        self._stopped = False

    @property
    def addresses(self) -> list[Any]:
        """The addresses on which it listens."""
        return [listener.getsockname() for listener, _ in self._listeners]

    @property
    def serving(self) -> Serving:
        """aiohttp's part, which is loaded if necessary."""
        return self._http.serving

    async def start(self) -> int:
        """Listen. Returns the port, once it accepts connections.

        Raises:
            OSError: the port cannot be bound (the message names host and port), or the site was stopped in the
                meantime.
        """
        sockets = await open_sockets(*self._address)
        # Never interrupted: cancelling it could leave a port open that nobody can close.
        self._opening = asyncio.get_running_loop().create_task(self._open(sockets))
        try:
            await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            await self.stop()
            raise
        return int(sockets[0].getsockname()[1])

    async def _open(self, sockets: list[socket.socket]) -> None:
        _asyncio.addFilter(_is_no_chatter)
        if self._stopped:
            for one in sockets:
                one.close()
            raise OSError(errno.ECANCELED, "the server was stopped before its port was open")
        self._connections.evictors.append(self._arrivals.evict)
        if self._eager:
            await self._http.start()
        for one in sockets:
            self._listeners.append((one, await self._listen(one)))
        if self._eager:
            for listener, server in self._listeners:
                self._http.serving.listens(listener, server)
        elif self._warm_up is not None:
            self._warming = asyncio.get_running_loop().call_later(self._warm_up, self._http.load)
        if self._handoffs:
            from wslink.http.handoff import listen_for_handoffs

            self._handoff = listen_for_handoffs(self._arrivals, self._handoffs, int(sockets[0].getsockname()[1]))

    def _serving(self) -> Serving:
        from wslink.http.serving import Serving

        handed_over = bool(self._handoffs)
        return Serving(self._application(), self._arrivals, self._connections, self._listeners, handed_over)

    async def _listen(self, listener: socket.socket) -> Any:
        """Return what accepts on `listener`: asyncio's server, or its replacement."""
        if _has_readers():
            return Acceptor(listener, self._arrivals, self._connections, self._tls)
        return await asyncio.get_running_loop().create_server(
            self._arrivals, sock=listener, ssl=self._tls, backlog=BACKLOG
        )

    async def stop_listening(self) -> None:
        """Stop accepting connections; existing ones continue."""
        listeners, self._listeners = self._listeners, []
        for _, server in listeners:
            server.close()
        await self._http.stop_listening()

    async def stop(self) -> None:
        """Free the port, and end what is running, including a start."""
        self._stopped = True
        if self._opening is not None:
            await asyncio.wait({self._opening})
            self._opening.cancelled() or self._opening.exception()  # `start` raises it
        if self._warming is not None:
            self._warming.cancel()
        if self._handoff is not None:
            self._handoff.stop()
        listeners, self._listeners = self._listeners, []
        for _, server in listeners:
            server.close()
        self._arrivals.close()
        await self._http.stop()


_asyncio = logging.getLogger("asyncio")


def _is_no_chatter(record: logging.LogRecord) -> bool:
    """Filter out asyncio's message for each write to a client that has gone, which it reports only in its next turn."""
    return record.msg != "socket.send() raised exception."


def _has_readers() -> bool:
    """Whether the event loop can watch sockets; the default one on Windows cannot."""
    loop = asyncio.get_running_loop()
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader
