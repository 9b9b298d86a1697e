"""Accepting connections within limits, and when the system has no more file descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable

from wslink.transport.private_asyncio import TransportFactory, accepting

logger: logging.Logger = logging.getLogger("wslink.http")

BATCH = 32
"""Connections that are accepted in one turn of the event loop, where many come."""
FEW = 8
"""Turns in a row that have each had a connection to accept, after which many come. Until then one is accepted in each
turn: to look for another costs a failing system call."""
PAUSE = 1.0
"""Seconds before the next try where the system has no more descriptors or memory."""
SHORT_PAUSE = 0.05
"""The same, where a connection has been ended to make room."""
TLS_TIMEOUT = 10.0
"""Seconds that a TLS handshake may take."""
SPARE_DESCRIPTORS = 32
"""Of those that the process may open, how many connections leave to everything else; a quarter if that is less."""
COMPLAINTS, PER_SECONDS = 20, 60.0
"""Lines about one kind of refusal that are logged in so many seconds: peers can cause any number of them."""


class Complaints:
    """Logs warnings of one kind at a limited rate."""

    def __init__(self, most: int = COMPLAINTS) -> None:
        self._most = most
        self._since = 0.0
        self._count = 0

    def warning(self, text: str, *arguments: object) -> None:
        """Log a warning, unless there were too many recently."""
        now = time.monotonic()
        if now - self._since > PER_SECONDS:
            if self._count > self._most:
                logger.warning("%d more lines of that kind were left out", self._count - self._most)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= self._most:
            logger.warning(text, *arguments)


class CountedSocket(socket.socket):
    """A socket that reports when it is closed, whoever closes it.

    Attributes:
        on_closed: called once, with the socket, when it is closed.
    """

    # As slots, since a socket makes a member of an enum each time that it is asked for its family or its type, and
    # asyncio asks several times of each connection.
    __slots__ = ("family", "on_closed", "type")
    family: socket.AddressFamily
    type: socket.SocketKind

    def __init__(
        self,
        family: int = -1,
        type_: int = -1,
        protocol: int = -1,
        fileno: int | None = None,
        on_closed: Callable[[CountedSocket], None] | None = None,
    ) -> None:
        super().__init__(family, type_, protocol, fileno)
        self.family = family if isinstance(family, socket.AddressFamily) else super().family
        self.type = type_ if isinstance(type_, socket.SocketKind) else super().type
        self.on_closed: Callable[[CountedSocket], None] | None = on_closed

    def close(self) -> None:
        super().close()
        self._report()

    def detach(self) -> int:
        """Called by uvloop, which closes the descriptor itself, where asyncio closes the socket."""
        self._report()
        return super().detach()

    def _report(self) -> None:
        report, self.on_closed = self.on_closed, None
        if report is not None:
            report(self)


class Connections:
    """The connections of one server, from the moment when they are accepted.

    Args:
        limit: how many may be open (LIM-11); fewer if the process may open fewer descriptors.

    Attributes:
        open: the open connections.
        evictors: functions that make room for new connections: each ends a connection that has not sent its request
            yet, if there is one, and returns whether there was.
    """

    def __init__(self, limit: int) -> None:
        self.limit: int = min(limit, _descriptors())
        self.evictors: list[Callable[[], bool]] = []
        self.open: set[CountedSocket] = set()
        self._closed = self.open.discard
        self._complaints = Complaints()

    def __len__(self) -> int:
        return len(self.open)

    def evict(self) -> bool:
        """End the connection that has waited longest without sending its request. Returns whether there was one."""
        return any(evict() for evict in self.evictors)

    def admit(self, descriptor: int, kind: tuple[int, int, int]) -> CountedSocket | None:
        """Count a connection; None if there are too many, in which case it was closed.

        Args:
            descriptor: its socket.
            kind: its family, type and protocol, which are those of the listening socket.
        """
        if len(self.open) >= self.limit and not self.evict():
            socket.close(descriptor)
            self._complaints.warning("a connection was refused: %d are open", len(self.open))
            return None
        family, type_, protocol = kind
        counted = CountedSocket(family, type_, protocol, descriptor, self._closed)
        counted.setblocking(False)
        self.open.add(counted)
        return counted


class Acceptor:
    """Accepts connections on a listening socket: asyncio's server, as far as aiohttp needs it. When the system has no
    descriptors left it pauses, while asyncio retries a hundred times and logs each failure.

    Args:
        listener: the socket. It is closed at the end.
        protocols: creates a connection's protocol.
        connections: counts the connections.
        tls: for TLS.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocols: Callable[[], asyncio.BaseProtocol],
        connections: Connections,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._listener = listener
        self._next = accepting(listener)
        self._kind = listener.family, listener.type, listener.proto
        self._protocols = protocols
        self._connections = connections
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._transports = TransportFactory(self._loop)
        self._busy = 0  # turns in a row in which there were as many connections as were accepted
        self._pause: asyncio.TimerHandle | None = None
        self._complaints = Complaints(1)
        self._opening: dict[asyncio.Task[None], None] = {}
        if tls is not None:
            connections.evictors.append(self._evict)
        self._resume()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return (self._listener,)

    def close(self) -> None:
        """Stop accepting. Accepted connections stay open, except those in their TLS handshake."""
        if self._pause is not None:
            self._pause.cancel()
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        return None

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH if self._busy > FEW else 1):
            try:
                descriptor, address = self._next()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._busy = 0
                return
            except OSError as error:
                self._loop.remove_reader(self._listener)
                pause = SHORT_PAUSE if self._connections.evict() else PAUSE
                self._pause = self._loop.call_later(pause, self._resume)
                self._complaints.warning("no connections are accepted for a while: %s", error.strerror or error)
                return
            full = len(self._connections.open) >= self._connections.limit
            counted = self._connections.admit(descriptor, self._kind)
            if counted is not None:
                self._begin(counted, address)
            if full:
                return  # an evicted connection's descriptor is free in the next turn
        self._busy += 1

    def _begin(self, counted: CountedSocket, address: object) -> None:
        """Create a connection's protocol, at once or in a task after its TLS handshake."""
        try:
            if self._tls is None and self._transports.works:
                self._transports.open(counted, address, self._protocols())
                return
        except OSError as error:
            _ended_early(counted, error)
            return
        task = self._loop.create_task(self._open(counted))
        self._opening[task] = None
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.pop(task, None)

    async def _open(self, counted: CountedSocket) -> None:
        timeout = TLS_TIMEOUT if self._tls is not None else None
        try:
            await self._loop.connect_accepted_socket(
                self._protocols, counted, ssl=self._tls, ssl_handshake_timeout=timeout
            )
        except (OSError, asyncio.TimeoutError) as error:
            _ended_early(counted, error)
        except BaseException:
            counted.close()
            raise

    def _evict(self) -> bool:
        """End the connection that has been in its TLS handshake for the longest time."""
        task = next(iter(self._opening), None)
        if task is None:
            return False
        del self._opening[task]
        task.cancel()
        return True


def _ended_early(counted: CountedSocket, error: BaseException) -> None:
    logger.debug("a connection ended before it was open: %s", error)
    counted.close()


def _descriptors() -> int:
    """The number of connections that this process may have."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            return max(soft - max(min(SPARE_DESCRIPTORS, soft // 4), 1), 1)
    return 2**31
