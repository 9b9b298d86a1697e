"""One history: a server, clients, the lines between them, and the cuts."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import wslink
from tests.history.checker import check
from tests.history.client import Speaker
from tests.history.js import JavaScriptSpeaker
from tests.lines import Line, Way
from wslink.waiting import within

RARELY = 0.004
"""The share of cuts that one end learns of only by asking for signs of life, which takes 6 s."""
QUICK = 0.2
"""The share that follows at once on the one before: both ends are returning."""
SLOW = 0.12
"""The share of pauses in which a large message fits as a rule."""
MOST, LEAST = 16 * 1024 * 1024, 1024 * 1024
"""Bytes that wait for a client beyond which nothing is cut until no more than the second do. What is cut over and over
again before it has arrived piles up, until a session cannot be resumed, as is right (`max_resume`)."""
LOOK_EVERY, ANSWER_WITHIN = 0.3, 2.0
"""Seconds between two looks at it, and for each: one may go over a line that is cut itself."""


@dataclass
class Result:
    """What came of it.

    Attributes:
        found: what is wrong.
        cuts: how many, by way.
        resumed: returns, as the clients count them.
        calls: that were made.
        published: to each client.
        seconds: it took.
    """

    found: list[str]
    cuts: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    calls: int = 0
    published: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        cuts = ", ".join(f"{count} {way}" for way, count in self.cuts.most_common())
        return (
            f"{self.cuts.total()} cuts ({cuts}); {self.resumed} returns; {self.calls} calls; {self.published} reliable "
            f"publications to each; {self.seconds:.0f} s\n" + ("\n".join(self.found) or "nothing lost, nothing doubled")
        )


class Cutter:
    """Cuts the lines of all clients.

    Args:
        cuts: how many times, all lines together.
        chance: decides when and how.
        tell: is told how many there were, once in a while.
        patience: the share of cuts that come only after the client has returned. Others may hit its return.
    """

    def __init__(self, cuts: int, chance: random.Random, tell: Callable[[int], object], patience: float) -> None:
        self.made: Counter[str] = Counter()
        self._left = cuts
        self._chance = chance
        self._tell = tell
        self._patience = patience
        self._may = asyncio.Event()

    async def watch(self, waiting: Callable[[], Awaitable[int]]) -> None:
        """Let the lines be where more waits than is to be."""
        most = MOST
        while True:
            try:
                few = await within(waiting(), ANSWER_WITHIN) < most
            except asyncio.TimeoutError:
                few = False
            most = MOST if few else LEAST
            if few:
                self._may.set()
            else:
                self._may.clear()
            await asyncio.sleep(LOOK_EVERY)

    def _way(self) -> Way:
        chance = self._chance
        if chance.random() < RARELY:
            return chance.choice(("stall", "far"))
        return chance.choice(("reset", "half", "frame", "hello"))

    def _pause(self) -> float:
        chance = self._chance
        if chance.random() < QUICK:
            return chance.random() * 0.008
        return chance.random() * (1.5 if chance.random() < SLOW else 0.1)

    async def cut(self, line: Line, returned: Callable[[], bool]) -> None:
        while self._left > 0:
            late = self._chance.random() < self._patience
            while not line.is_open or (late and not returned()):
                await asyncio.sleep(0.002)
            await asyncio.sleep(self._pause())
            await self._may.wait()
            if line.is_open and self._left > 0:
                way = self._way()
                line.cut(way)
                self.made[way] += 1
                self._left -= 1
                if self.made.total() % 500 == 0:
                    self._tell(self.made.total())


async def run(
    url: str, direct: str, cuts: int, *, seed: int = 1, javascript: int = 2, python: int = 1, pace: float = 0.04,
    patience: float = 0.0, tell: Callable[[int], object] = lambda _: None,
) -> Result:  # fmt: skip
    """Let clients talk to a server over lines that are cut.

    Args:
        url: to which the lines lead.
        direct: of the same server, without lines; "" to ask over the last client's own.
        cuts: how many.
        seed: of all chance.
        javascript: clients in Node.
        python: clients in Python.
        pace: the longest pause between bursts of calls.
        patience: see Cutter.
        tell: see Cutter.
    """
    began, chance = time.monotonic(), random.Random(seed)
    lines = [await Line.to(url, random.Random(seed + number)) for number in range(javascript + python)]
    speakers: list[Any] = [
        JavaScriptSpeaker(f"js{number}", lines[number].url, seed + number, pace)
        if number < javascript
        else Speaker(f"py{number}", lines[number].url, random.Random(seed + number), pace)
        for number in range(javascript + python)
    ]
    await asyncio.gather(*(speaker.begin() for speaker in speakers))
    cutter = Cutter(cuts, chance, tell, patience)
    async with contextlib.AsyncExitStack() as stack:
        link = await stack.enter_async_context(wslink.connect(direct, secret="history")) if direct else speakers[-1]
        await link.call("history.begin")
        watching = asyncio.create_task(cutter.watch(lambda: link.call("history.waiting")))
        await asyncio.gather(
            *(cutter.cut(line, speaker.returned) for line, speaker in zip(lines, speakers, strict=True))
        )
        watching.cancel()
        await asyncio.gather(*(speaker.stop() for speaker in speakers))
        record = await link.call("history.end")
        logs = await _logs(speakers, lambda each: each.end(record["published"], record["newest"]))
    for line in lines:
        await line.close()
    return Result(
        check(record, logs),
        cutter.made,
        sum(len(log["verdicts"]) for log in logs.values()),
        sum(log["sent"] for log in logs.values()),
        sum(record["published"]),
        time.monotonic() - began,
    )


async def _logs(speakers: list[Any], end: Callable[[Any], Awaitable[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    logs = await asyncio.gather(*(end(speaker) for speaker in speakers))
    return {speaker.name: log for speaker, log in zip(speakers, logs, strict=True)}
