"""The log, as one worker reads it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from wslink.cluster.broker import Broker
from wslink.cluster.moves import Moves
from wslink.cluster.outbox import words
from wslink.errors import BrokerError
from wslink.waiting import within

logger: logging.Logger = logging.getLogger("wslink")

TURN = 0.01
"""Seconds of taking records after which other work has its turn: clients and signs of life do not wait for hundreds of
records."""
PAUSES = 0.05, 1.0
"""Seconds between tries while the broker is away: the first, and the longest."""


class Reading:
    """Reads and handles all records, in order, for ever.

    Args:
        broker: see Broker.
        take: called with the records.
        moves: moves that are due after a record are awaited before the next one.

    Attributes:
        opened: whether the broker has been reached.
    """

    def __init__(self, broker: Broker, take: Callable[[bytes], None], moves: Moves) -> None:
        self.opened: asyncio.Event = asyncio.Event()
        self._broker, self._take, self._moves = broker, take, moves
        self._trouble = ""

    async def ready(self, patience: float) -> None:
        """Wait until the broker has been reached. Raises BrokerError after `patience` seconds."""
        try:
            await within(self.opened.wait(), patience)
        except asyncio.TimeoutError:
            why = f": {self._trouble}" if self._trouble else ""
            raise BrokerError(f"the broker {self._broker.name} cannot be reached{why}") from None

    async def run(self) -> None:
        pause, longest = PAUSES
        while True:
            try:
                await self._broker.open()
                self.opened.set()
                records = await self._broker.read()
            except Exception as error:
                self._trouble = words(error)
                logger.debug("the broker %s: %r", self._broker.name, error)
                if self.opened.is_set() and pause < longest <= 2 * pause:  # once, and not for a line that was cut
                    logger.warning("the broker %s cannot be read: %s", self._broker.name, self._trouble)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
                continue
            pause, began = PAUSES[0], time.monotonic()
            for record in records:
                self._take(record)
                if self._moves.due:
                    await self._moves.settle()
                if time.monotonic() - began > TURN:
                    await asyncio.sleep(0)
                    began = time.monotonic()
