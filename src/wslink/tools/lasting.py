"""Links of commands: they reconnect and report that, and end at SIGTERM like at Ctrl+C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

from wslink.client.backoff import Reconnect
from wslink.client.events import LinkState, Reconnected
from wslink.client.link import Link
from wslink.console import complain
from wslink.errors import LinkError
from wslink.tools.options import Target, seconds
from wslink.waiting import within
from wslink.wire.value import Value

GIVE_UP = 60.0
"""Seconds without a connection after which a command gives up: as long as servers keep a session."""

T = TypeVar("T")


def run(main: Coroutine[Value, Value, None]) -> bool:
    """Run the main coroutine of a command. Returns whether it has finished, rather than being ended by Ctrl+C or
    SIGTERM."""

    async def guarded() -> None:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; another thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main

    try:
        asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return False
    return True


@contextlib.asynccontextmanager
async def lasting(target: Target, patience: float) -> AsyncIterator[Link]:
    """A link that reconnects for up to `patience` seconds without a connection; 0 for not at all.

    Raises:
        AuthenticationError: the server refused the secret.
        ConnectionClosed: the server cannot be reached, or no longer.
    """
    again = Reconnect(initial=1.0, max=5.0, give_up_after=patience) if patience else False
    async with target.connect(reconnect=again) as link:

        @link.on_statechange
        def changed(state: LinkState) -> None:
            if state == "reconnecting":
                complain(f"-- the connection is lost; trying again for {patience:g} s")

        link.on_reconnected(_back)
        yield link


def _back(reconnected: Reconnected) -> None:
    what = "nothing is lost"
    if not reconnected.resumed:
        what = f"the session began anew ({reconnected.reason}), and what was published meanwhile is missing"
    complain(f"-- connected again after {reconnected.away:.1f} s: {what}")


async def answer(awaitable: Coroutine[Value, Value, T] | asyncio.Future[T], timeout: float, what: str) -> T:
    """Wait for the server's response to `what`. Raises LinkError if that takes too long."""
    try:
        return await within(awaitable, timeout)
    except asyncio.TimeoutError:
        raise LinkError(f"{what}: no response within {timeout:g} s") from None


def add_reconnect(parser: argparse.ArgumentParser) -> None:
    """Add the option for how long a command tries to reconnect."""
    parser.add_argument(
        "--reconnect", type=seconds, default=GIVE_UP, metavar="SECONDS",
        help=f"to try again for, where the connection is lost; 0 for not at all (default: {GIVE_UP:g})",
    )  # fmt: skip
