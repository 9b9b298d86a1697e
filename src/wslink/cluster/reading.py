"""The log, as one worker reads it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from wslink.cluster.broker import Broker
from wslink.cluster.moves import Moves

logger: logging.Logger = logging.getLogger("wslink")

TURN = 0.01
"""Seconds of taking records after which other work has its turn: clients and signs of life do not wait for hundreds of
records."""
PAUSES = 0.05, 1.0
"""Seconds between tries while the broker is away: the first, and the longest."""


async def read(broker: Broker, opened: asyncio.Event, take: Callable[[bytes], None], moves: Moves) -> None:
    """Have every record taken, in order, for ever.

    Args:
        opened: is set once the broker has been reached.
        moves: those that are due after a record are awaited before the next one.
    """
    pause, longest = PAUSES
    while True:
        try:
            await broker.open()
            opened.set()
            records = await broker.read()
        except Exception as error:
            logger.debug("the broker %s: %r", broker.name, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            continue
        pause, began = PAUSES[0], time.monotonic()
        for record in records:
            take(record)
            if moves.due:
                await moves.settle()
            if time.monotonic() - began > TURN:
                await asyncio.sleep(0)
                began = time.monotonic()
