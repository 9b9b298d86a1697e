"""The successive connections of a link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple

from wslink.client.backoff import Backoff
from wslink.client.cure import MISSING, WRONG
from wslink.client.events import Events, LinkState, Reconnected
from wslink.client.ports import ClientSocket
from wslink.client.session import ClientSession
from wslink.errors import AUTHENTICATION_ERROR, AuthenticationError, CallError, ConnectionClosed
from wslink.waiting import within
from wslink.wire.frames import Buffer
from wslink.wire.messages import DISCONNECTED

logger: logging.Logger = logging.getLogger("wslink.client")

GOODBYE_TIMEOUT = 0.1
"""Seconds in which the server may answer the close of a connection that is given up: it need not, as it reads that
before the connection's end."""


class Dialing(NamedTuple):
    """The parameters of connecting.

    Attributes:
        dial: opens a connection; raises ConnectionClosed.
        url: the server's URL, for errors; without secrets.
        secret: the server's secret.
        timeout: seconds for one attempt, including hello.
        backoff: when to reconnect; None for never.
    """

    dial: Callable[[], Awaitable[ClientSocket]]
    url: str
    secret: str | None
    timeout: float
    backoff: Backoff | None


class Connections:
    """Opens connections, reads from them, and reconnects when one ends.

    Args:
        dialing: see Dialing.
        session: the session that they carry.
        take: handles each frame.
        events: notified of changes.
        finish: called once, after the last connection, with how it has ended, and whether this side closed it.

    Attributes:
        state: see Link.
        ended: how the last connection has ended; None while there may be more.
    """

    def __init__(
        self,
        dialing: Dialing,
        session: ClientSession,
        take: Callable[[bool, Buffer | str], Awaitable[None]],
        events: Events,
        finish: Callable[[ConnectionClosed, bool], None],
    ) -> None:
        self.state: LinkState = "open"
        self.ended: ConnectionClosed | None = None
        self._dialing = dialing
        self._session = session
        self._take = take
        self._events = events
        self._finish = finish
        self._socket: ClientSocket | None = None
        self._reading: asyncio.Future[ConnectionClosed]
        self._running: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def socket(self) -> ClientSocket | None:
        """The connection; None while there is none."""
        return self._socket

    async def open(self) -> None:
        """Open the first connection. Raises AuthenticationError, ConnectionClosed."""
        await self._attempt()
        self._running = asyncio.get_running_loop().create_task(self._run())

    def give_up(self) -> None:
        """Abort the connection: there was no sign of life."""
        if self._socket is not None:
            self._socket.abort()

    # A single connection ------------------------------------------------------------

    async def _attempt(self) -> None:
        """Connect and say hello. Raises AuthenticationError, ConnectionClosed."""
        url, timeout = self._dialing.url, self._dialing.timeout
        try:
            await within(self._connect(), timeout)
        except BaseException as error:
            if self._socket is not None:
                self._reading.cancel()
            await self._release(for_good=isinstance(error, asyncio.CancelledError) or self._running is None)
            if isinstance(error, asyncio.TimeoutError):
                raise ConnectionClosed(1006, f"{url} did not answer within {timeout:g} s") from error
            raise
        if self._dialing.backoff is not None:
            self._dialing.backoff.opened()

    async def _connect(self) -> None:
        socket = await self._dialing.dial()
        self._socket = socket
        socket.resume = self._session.outbox.resume
        self._reading = asyncio.get_running_loop().create_task(socket.read(self._take))
        try:
            await self._greet(socket)
        except BaseException:
            self._session.disconnect(ConnectionClosed(1006, "the connection was lost"))
            raise

    async def _greet(self, socket: ClientSocket) -> None:
        """Authenticate (HELLO-1, EXT-1). Raises AuthenticationError, ConnectionClosed."""
        secret = self._dialing.secret
        call, frames = self._session.hello(socket, secret)
        try:
            socket.send(frames)
            await asyncio.wait({call.result, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            if not call.result.done():
                raise self._reading.result()
            call.result.result()
        except CallError as error:
            if error.code != AUTHENTICATION_ERROR:
                raise ConnectionClosed(1006, f"the server did not take hello: {error}") from error
            why = WRONG if secret is not None else MISSING
            raise AuthenticationError(f"{error.message}: {why}; connect(url, secret=...)") from error
        finally:
            self._session.over(call, None)

    # Reconnecting ---------------------------------------------------------------------

    async def _run(self) -> None:
        end = ConnectionClosed(1006, "the connection was lost")
        try:
            while True:
                end = await self._reading
                await self._release()
                backoff = self._dialing.backoff
                if backoff is None or self.state != "open" or end.code == DISCONNECTED:
                    break
                backoff.ended(end.code)
                self._session.disconnect(end)
                self._change("reconnecting")
                await within(self._return(backoff), backoff.give_up_after)
        except AuthenticationError as error:  # retrying would not help
            end = ConnectionClosed(1008, str(error))
        except asyncio.TimeoutError:
            pass
        finally:
            self._end(end)
            await self._release(for_good=True)

    async def _return(self, backoff: Backoff) -> None:
        """Reconnect, with as many attempts as it takes. Raises AuthenticationError."""
        since = monotonic()
        while self._socket is None:
            await asyncio.sleep(backoff.delay())
            try:
                await self._attempt()
            except ConnectionClosed as error:
                logger.debug("%s", error)
            if self.ended is not None:  # it was closed in the meantime, and the cancellation was swallowed
                raise asyncio.CancelledError
        self._change("open")
        resumed, reason = self._session.verdict
        self._events.returned(Reconnected(resumed, reason, monotonic() - since))

    async def _release(self, for_good: bool = False) -> None:
        """Drop the connection. `for_good` means that there will be no other, which the server is told: it would wait
        otherwise (RES-6)."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        try:
            if for_good:
                with contextlib.suppress(asyncio.TimeoutError):
                    await within(socket.close(), GOODBYE_TIMEOUT)
        finally:
            await socket.release()

    # End ------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection for good. Safe to call more than once. Cancelling a caller does not interrupt it: the
        caller may be a handler, which is cancelled when the session ends."""
        closed = ConnectionClosed(1000, "closed by this side")
        if self.ended is None:
            self._stop(closed, asked=True)
            self._change("closing")
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close(closed))
        await asyncio.shield(self._closing)

    async def _close(self, closed: ConnectionClosed) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._end(closed)

    async def wait_closed(self) -> ConnectionClosed:
        """Wait for the end of the last connection. Returns how it has ended."""
        if self._running is not None:
            await asyncio.wait({self._running})
        assert self.ended is not None
        return self.ended

    def _stop(self, end: ConnectionClosed, asked: bool = False) -> None:
        if self.ended is None:
            self.ended = end
            self._finish(end, asked)

    def _end(self, end: ConnectionClosed) -> None:
        self._stop(end)
        if self.state != "closed":
            self._change("closed")

    def _change(self, state: LinkState) -> None:
        self.state = state
        self._events.changed(state)
