"""The command line: `wslink watch URL terrain.tile --filter 'row>=3'`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from time import monotonic

from wslink.client.cure import explained
from wslink.client.subscription import ClientSubscription
from wslink.console import complain, put
from wslink.errors import WslinkError
from wslink.tools.filters import parse
from wslink.tools.lasting import add_reconnect, answer, lasting, run
from wslink.tools.options import Target, add_options, count, positive, seconds, target_of
from wslink.tools.show import as_line, line, size, weight
from wslink.waiting import within
from wslink.wire.value import Value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        run(_watch(target_of(arguments), arguments))
    except (WslinkError, OSError) as error:
        complain(f"wslink: {explained(error)}")
        return 1
    return 0


class Rates:
    """Counts publications, and reports their rate.

    Args:
        every: seconds between reports; 0 for none.
    """

    def __init__(self, every: float) -> None:
        self.count: int = 0
        self.bytes: int = 0
        self.began: float = monotonic()
        self._every = every
        self._last = (self.began, 0, 0)

    def add(self, payload: Value) -> None:
        self.count += 1
        self.bytes += weight(payload)

    def due(self) -> str | None:
        """The rate since the last report, if it is time for another."""
        since, count, total = self._last
        now = monotonic()
        if not self._every or now - since < self._every:
            return None
        self._last = now, self.count, self.bytes
        return _rate(self.count - count, self.bytes - total, now - since)

    def all(self) -> str:
        """The rate since the beginning."""
        return _rate(self.count, self.bytes, monotonic() - self.began)


def _rate(count: int, total: int, seconds: float) -> str:
    seconds = max(seconds, 1e-3)
    mean = f", {size(total / count)} each" if count else ""
    return f"{count} in {seconds:.1f} s: {count / seconds:.3g}/s, {size(total / seconds)}/s{mean}"


async def _watch(target: Target, arguments: argparse.Namespace) -> None:
    definition = parse(arguments.filter) if arguments.filter else None
    topic, rate = arguments.topic, arguments.max_rate
    async with lasting(target, arguments.reconnect) as link, contextlib.AsyncExitStack() as stack:
        subscribed = stack.enter_async_context(link.subscribe(topic, filter=definition, max_rate=rate))
        subscription = await answer(subscribed, target.timeout, topic)
        rates = Rates(arguments.every)
        try:
            await within(_take(subscription, rates, arguments), arguments.seconds or None)
        except asyncio.TimeoutError:
            pass
        finally:
            if not arguments.json:
                put(f"-- {rates.all()}")


async def _take(subscription: ClientSubscription, rates: Rates, arguments: argparse.Namespace) -> None:
    """Print publications and rates, until there are enough, or the output cannot be written."""
    tasks = [asyncio.ensure_future(one) for one in (_print(subscription, rates, arguments), _tick(rates, arguments))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _print(subscription: ClientSubscription, rates: Rates, arguments: argparse.Namespace) -> None:
    async for payload in subscription:
        rates.add(payload)
        if arguments.json:
            put(as_line(payload), document=True)
        elif not arguments.quiet:
            put(f"{monotonic() - rates.began:9.3f}  {size(weight(payload)):>8}  {line(payload)}")
        if rates.count == arguments.count:
            return


async def _tick(rates: Rates, arguments: argparse.Namespace) -> None:
    while True:
        await asyncio.sleep(min(arguments.every, 0.1) or 1)
        said = None if arguments.json else rates.due()
        if said is not None:
            put(f"-- {said}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink watch",
        description="Print what is published on a topic: when it came, about how large it is, and what it holds in a "
        "line; and how much that is per second.",
        epilog="Filters: 'row>=3', 'row>=3,row<6', 'kind=rock|sand', 'name^=tile', or a JSON object.",
    )
    add_options(parser)
    add_reconnect(parser)
    parser.add_argument("topic")
    parser.add_argument("--filter", metavar="FILTER", help="only publications whose tags match")
    parser.add_argument(
        "--count", type=count, default=0, help="publications after which to stop; 0 for never (default)"
    )
    parser.add_argument("--seconds", type=seconds, default=0.0, help="time after which to stop; 0 for never (default)")
    parser.add_argument(
        "--every", type=seconds, default=1.0, metavar="SECONDS", help="interval between rates; 0 for none (default: 1)"
    )
    parser.add_argument(
        "--max-rate", type=positive, metavar="N", help="most publications per second, for a latest topic"
    )
    parser.add_argument("--quiet", action="store_true", help="print only the rates")
    parser.add_argument("--json", action="store_true", help="print each payload as a line of JSON, and no rates")
    return parser
