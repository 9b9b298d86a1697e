"""Messages of a JetStream stream, as they are appended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

from nats.js import api

from wslink.waiting import within

BATCH = 256
"""Messages that are asked for at a time: a request for each would cost more than the messages."""
EXPIRES = 30.0
"""Seconds after which the server gives a request up."""
IDLE = 3.0
"""Seconds without a message after which a consumer counts as gone: every worker gives signs of life."""
_EXPIRED, _ALIVE = "408", "100"
"""Statuses of the server: a request has expired; a sign of life."""


class Gap(Exception):
    """Messages are missing before the next one: they were on a connection that has ended, or are gone."""


class Pull:
    """A consumer of a stream, starting at a message.

    Args:
        connection: nats-py's connection to the server.
        stream: its name.
        last: the number of the message before the first one that is needed. Lost messages at the beginning are skipped;
            those missing later raise Gap.

    Attributes:
        last: the number of the message that was read last.
    """

    def __init__(self, connection: Any, stream: str, last: int) -> None:
        self.last: int = last
        self._connection = connection
        self._stream = stream
        self._name = ""
        self._inbox: str = connection.new_inbox()
        self._subscription: Any = None
        self._left = 0
        """Messages that may still come of those that were asked for."""
        self._new = True
        self._heard = time.monotonic()
        self._arrived: list[Any] = []
        self._news = asyncio.Event()

    async def begin(self, timeout: float) -> None:
        """Create the consumer on the server, within `timeout` seconds."""
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self.last + 1,
            ack_policy=api.AckPolicy.NONE, inactive_threshold=60.0, mem_storage=True,
        )  # fmt: skip
        context = self._connection.jetstream(timeout=timeout)
        self._name = (await context.add_consumer(self._stream, config)).name
        # What arrives is bounded by what is asked for.
        self._subscription = await self._connection.subscribe(self._inbox, cb=self._take, pending_bytes_limit=0)

    async def _take(self, message: Any) -> None:
        self._arrived.append(message)
        self._news.set()

    async def read(self, wait: float) -> Sequence[bytes]:
        """The next messages; none if none arrive within `wait` seconds.

        Raises:
            Gap: see `last`. Continue with another Pull.
            ConnectionError: the consumer is gone.
        """
        if self._left <= 0:
            await self._ask()
        if not self._arrived:
            self._news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await within(self._news.wait(), wait)
        messages, self._arrived = self._arrived, []
        now = time.monotonic()
        if messages:
            self._heard = now
        elif now - self._heard > IDLE:
            raise ConnectionError("the consumer gives no sign of life")
        return self._in_order([one for one in messages if not self._is_status(one)])

    async def _ask(self) -> None:
        request = {"batch": BATCH, "expires": int(EXPIRES * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._connection.publish(subject, json.dumps(request).encode(), self._inbox)
        self._left = BATCH

    def _is_status(self, message: Any) -> bool:
        """Whether it is not a message of the stream, but the status of a request. Raises ConnectionError."""
        if message.headers is None:
            return False
        status = message.headers.get("Status")
        if status == _EXPIRED:
            self._left = 0
        elif status is not None and status != _ALIVE:
            raise ConnectionError(f"the consumer is gone: {message.headers}")
        return status is not None

    def _in_order(self, messages: Sequence[Any]) -> Sequence[bytes]:
        """The content of the messages, up to a gap. Raises Gap if there is none."""
        if not messages:
            return ()
        self._left -= len(messages)
        if self._new:
            self._new, self.last = False, _number(messages[0]) - 1
        fit = 0
        while fit < len(messages) and _number(messages[fit]) == self.last + 1:
            self.last += 1
            fit += 1
        if not fit:
            raise Gap(f"message {self.last + 1} is missing, {_number(messages[0])} has come")
        if fit < len(messages):  # the next `read` finds the gap
            self._arrived, self._left = [*messages[fit:], *self._arrived], self._left + len(messages) - fit
        return [message.data for message in messages[:fit]]

    async def end(self) -> None:
        """Stop reading. Never raises."""
        if self._subscription is not None:
            with contextlib.suppress(Exception):
                await self._subscription.unsubscribe()


def _number(message: Any) -> int:
    """Of a message in its stream: the fourth field from the end of its reply's subject, of which there are nine, or
    twelve with the domain and the account, which stand before it."""
    fields = message.reply.split(".")
    return int(fields[5 if len(fields) == 9 else 7])
