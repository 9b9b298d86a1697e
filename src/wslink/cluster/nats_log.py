"""A log in NATS: a JetStream stream in memory."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import api

from wslink.cluster.broker import MAX_BYTES, MAX_RECORDS
from wslink.cluster.nats_pull import Pull

TIMEOUT = 4.0
"""Seconds after which a server that does not respond counts as away."""
LOOK = 0.2
"""Seconds between looks at whether the connection is still there, while a response or a record is waited for."""
_PART = struct.Struct("<8sII")
"""Of a record that is larger than the server's messages: its mark, the part's index, the count of parts."""


class NatsLog:
    """See cluster.broker.Broker.

    Args:
        url: as nats-py accepts it.
        name: of the application.
    """

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        self.name: str = f"nats://{parts.hostname}:{parts.port or 4222}"
        self._url = url
        self._stream = f"WSLINK_{name}".replace("-", "_")
        self._subject = f"wslink.{name}.log"
        self._connection: Any = None
        self._pull: Pull | None = None
        self._last: int | None = None
        self._made: Any = None
        """When the stream was made: another one has other numbers."""
        self._parts: dict[bytes, list[bytes]] = {}
        self._complaint: Exception | None = None
        """What the server has said of no request in particular, such as one that it does not allow."""

    async def open(self) -> None:
        """Connect. After a lost connection everything is replaced: what was sent on the previous one counts only if it
        was acknowledged, and what it had not delivered yet is requested again."""
        self._complaint = None
        try:
            await self._open()
        except (asyncio.TimeoutError, nats.errors.NoServersError) as error:
            raise self._complaint or error from error

    async def _open(self) -> None:
        if self._connection is None or self._connection.is_closed:
            await self.close()
            connection: Any = Client()
            try:
                await connection.connect(
                    self._url, connect_timeout=TIMEOUT, allow_reconnect=False, reconnect_time_wait=0.1,
                    max_reconnect_attempts=1, ping_interval=2, max_outstanding_pings=2, error_cb=self._complain,
                )  # fmt: skip
            except BaseException:  # it keeps the socket on which it was refused
                await _leave_alone(connection)
                raise
            self._connection = connection
        if self._pull is None:
            pull = Pull(self._connection, self._stream, await self._position())
            await pull.begin(TIMEOUT)
            self._pull = pull

    async def _position(self) -> int:
        """The number of the record that was read last in the current stream, which is created on first use."""
        context = self._connection.jetstream(timeout=TIMEOUT)
        limits: dict[str, Any] = {"max_msgs": MAX_RECORDS, "max_bytes": MAX_BYTES}
        memory = api.StorageType.MEMORY
        try:
            info = await context.stream_info(self._stream)
        except nats.js.errors.NotFoundError:
            made = api.StreamConfig(name=self._stream, subjects=[self._subject], storage=memory, **limits)
            info = await context.add_stream(made)
        if self._last is None:
            self._last = info.state.last_seq
        elif info.created != self._made or self._last > info.state.last_seq:  # the server has restarted
            self._last = 0
        self._made = info.created
        return self._last

    async def append(self, records: Sequence[bytes]) -> None:
        connection = self._connection
        if connection is None or not connection.is_connected:
            raise ConnectionError("there is no connection")
        messages = [part for record in records for part in self._cut(record)]
        for message in messages[:-1]:  # in one connection's order: what the last one's response says holds for all
            await connection.publish(self._subject, message)
        last = asyncio.ensure_future(connection.jetstream().publish(self._subject, messages[-1], timeout=TIMEOUT))
        try:
            while not last.done():  # nobody is told when the connection has ended
                await asyncio.wait({last}, timeout=LOOK)
                if connection.is_closed and not last.done():
                    raise ConnectionError("the connection has ended")
            await last
        finally:
            last.cancel()

    def _cut(self, record: bytes) -> list[bytes]:
        most = self._connection.max_payload - 64
        if len(record) <= most:
            return [b"\0" + record]
        mark = secrets.token_bytes(8)
        pieces = [record[at : at + most] for at in range(0, len(record), most)]
        return [b"\1" + _PART.pack(mark, index, len(pieces)) + piece for index, piece in enumerate(pieces)]

    async def read(self) -> Sequence[bytes]:
        pull = self._pull
        assert pull is not None
        try:
            found = await pull.read(LOOK)
        except Exception:
            await self._leave()
            raise
        if found:
            self._last = pull.last
        whole = (self._join(data) for data in found)
        return [record for record in whole if record is not None]

    def _join(self, data: bytes) -> bytes | None:
        if data[:1] == b"\0":
            return data[1:]
        mark, index, count = _PART.unpack_from(data, 1)
        pieces = self._parts.setdefault(mark, [])
        if index == 0:
            pieces.clear()
        pieces.append(data[1 + _PART.size :])
        if index < count - 1:
            return None
        del self._parts[mark]
        return b"".join(pieces) if len(pieces) == count else None

    async def _leave(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            await pull.end()

    async def close(self) -> None:
        await self._leave()
        connection, self._connection = self._connection, None
        if connection is not None:
            await _leave_alone(connection)

    async def _complain(self, error: Exception) -> None:
        self._complaint = error


async def _leave_alone(connection: Any) -> None:
    """Close the connection, whatever its state: after a failed TLS handshake nats-py waits for ever."""
    closing = asyncio.ensure_future(connection.close())
    closing.add_done_callback(lambda task: task.cancelled() or task.exception())  # it does not matter
    await asyncio.wait({closing}, timeout=LOOK)
    closing.cancel()
