"""A log in NATS: one stream of JetStream, in its memory."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import nats
import nats.errors
import nats.js.errors
from nats.js import api

from wslink.cluster.broker import MAX_RECORDS, WAIT

TIMEOUT = 4.0
"""Seconds after which a server that does not respond counts as away."""
BATCH = 256
MAX_BYTES = 256 * 1024 * 1024
"""Bytes that the stream keeps for workers that are behind."""
IDLE = 3.0
"""Seconds without a record after which it is looked at whether there is still somebody who sends any."""
_PART = struct.Struct("<8sII")
"""Of a record that is larger than the server's messages: its mark, the part's index, the count of parts."""


class NatsLog:
    """See cluster.broker.Broker.

    Args:
        url: as nats-py takes it.
        name: of the application.
    """

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        self.name: str = f"nats://{parts.hostname}:{parts.port or 4222}"
        self._url = url
        self._stream = f"WSLINK_{name}".replace("-", "_")
        self._subject = f"wslink.{name}.log"
        self._connection: Any = None
        self._context: Any = None
        self._consumer: Any = None
        self._last: int | None = None
        self._heard = 0.0
        self._parts: dict[bytes, list[bytes]] = {}

    async def open(self) -> None:
        if self._connection is None:
            self._connection = await nats.connect(
                self._url, connect_timeout=TIMEOUT, max_reconnect_attempts=-1, reconnect_time_wait=0.25,
                allow_reconnect=True, ping_interval=2, max_outstanding_pings=2, error_cb=_pass_over,
                pending_size=0,
            )  # fmt: skip
            self._context = self._connection.jetstream(timeout=TIMEOUT)
        if self._consumer is None:
            self._consumer = await self._subscribe()
            self._heard = time.monotonic()

    async def _subscribe(self) -> Any:
        """A consumer that begins behind the last record that was read, or at the first one of a new stream."""
        limits: dict[str, Any] = {"max_msgs": MAX_RECORDS, "max_bytes": MAX_BYTES}
        memory = api.StorageType.MEMORY
        try:
            state = (await self._context.stream_info(self._stream)).state
        except nats.js.errors.NotFoundError:
            made = api.StreamConfig(name=self._stream, subjects=[self._subject], storage=memory, **limits)
            state = (await self._context.add_stream(made)).state
        if self._last is None:
            self._last = state.last_seq
        elif self._last > state.last_seq:  # another stream: the server has lost its memory
            self._last = 0
        policy = api.DeliverPolicy.BY_START_SEQUENCE
        config = api.ConsumerConfig(
            deliver_policy=policy, opt_start_seq=self._last + 1, ack_policy=api.AckPolicy.NONE, inactive_threshold=60.0,
            mem_storage=True,
        )  # fmt: skip
        return await self._context.pull_subscribe(self._subject, stream=self._stream, config=config)

    async def append(self, records: Sequence[bytes]) -> None:
        if not self._connection.is_connected:
            raise ConnectionError("there is no connection")
        messages = [part for record in records for part in self._cut(record)]
        for message in messages[:-1]:  # in one connection's order: what the last one's response says holds for all
            await self._connection.publish(self._subject, message)
        await self._context.publish(self._subject, messages[-1], timeout=TIMEOUT)

    def _cut(self, record: bytes) -> list[bytes]:
        most = self._connection.max_payload - 64
        if len(record) <= most:
            return [b"\0" + record]
        mark = secrets.token_bytes(8)
        pieces = [record[at : at + most] for at in range(0, len(record), most)]
        return [b"\1" + _PART.pack(mark, index, len(pieces)) + piece for index, piece in enumerate(pieces)]

    async def read(self) -> Sequence[bytes]:
        try:
            messages = await self._consumer.fetch(BATCH, timeout=WAIT)
        except (nats.errors.TimeoutError, asyncio.TimeoutError):
            await self._look_again()
            return ()
        except Exception:
            await self._leave()
            raise
        self._heard = time.monotonic()
        self._last = messages[-1].metadata.sequence.stream
        whole = (self._join(message.data) for message in messages)
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

    async def _look_again(self) -> None:
        """Every worker gives signs of life: where none arrive, the consumer may be gone."""
        if time.monotonic() - self._heard > IDLE:
            await self._leave()

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(Exception):
                await consumer.unsubscribe()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._consumer = None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()


async def _pass_over(error: Exception) -> None:
    """What goes wrong shows where it is waited for."""
