"""Writes tests/vectors/congestion.json: what the congestion controller answers on simulated lines.

    python -m tests.session.congestion_vectors

For when its constants or its model change; both languages then have to agree on what is new.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tests.session import test_congestion as simulation
from tests.session.test_shared_line import Shared
from wslink.session.congestion import CongestionController

VECTORS = Path(__file__).parents[1] / "vectors" / "congestion.json"
ABOUT = (
    "What the congestion controller of docs/protocol's extension `flow` answers. A step is the call, the time in "
    "seconds and the bytes, and then what follows: window and chunk size in bytes, the rate in bytes per second, and "
    "the delay in seconds until the next chunk may go, null for never before an acknowledgement."
)


class Recorded(CongestionController):
    """Keeps what it was told and what it answered."""

    __slots__ = ("steps",)

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.steps: list[list[Any]] = []

    def sent(self, now: float, size: int, last: bool = False) -> None:
        super().sent(now, size, last)
        self._record("sent", now, size)
        if last:
            self.steps.append(["idle"])

    def idle(self) -> None:
        super().idle()
        self.steps.append(["idle"])

    def acknowledged(self, now: float, total: int, held: float = 0.0) -> None:
        super().acknowledged(now, total, held)
        self._record("acknowledged", now, total)

    def _record(self, name: str, now: float, size: int) -> None:
        delay = self.delay(now)
        self.steps.append(
            [name, now, size, [self.window, self.chunk_size, self.rate, None if delay == math.inf else delay]]
        )


def steps(sender: simulation.Sender, until: float) -> list[list[Any]]:
    recorded = sender.run.controller = Recorded(0.0)
    sender.until(until)
    return recorded.steps


def slower() -> simulation.Sender:
    sender = simulation.Sender(simulation.Line(2 * simulation.MBIT, 0.03))
    sender.at(2.0, "rate", 0.5 * simulation.MBIT)
    return sender


def shaken() -> simulation.Sender:
    return simulation.Sender(simulation.Line(5 * simulation.MBIT, 0.05, jitter=0.06))


def calling() -> simulation.Sender:
    sender = simulation.Calling(simulation.Line(20 * simulation.MBIT, 0.03))
    sender.at(simulation.Calling.START, "wake", 0)
    return sender


def shared() -> list[list[Any]]:
    """The first of two: it looks for the line's own round trip from 10 s on."""
    both = Shared(simulation.Line(simulation.MBIT, 0.05), [0.0, 0.5])
    recorded = both.controllers[0] = Recorded(0.0)
    both.until(14.0)
    return recorded.steps


def main() -> None:
    mbit, line = simulation.MBIT, simulation.Line
    cases = {
        "a line of 20 Mbit/s and 80 ms": steps(simulation.Sender(line(20 * mbit, 0.04)), 1.5),
        "a line that becomes slower": steps(slower(), 6.0),
        "a line with jitter": steps(shaken(), 3.0),
        "a line that is fast": steps(simulation.Sender(line(1000 * mbit, 0.0001, buffer=1 << 22)), 0.05),
        "small calls with a late answer, and then a transfer": steps(calling(), simulation.Calling.START + 0.6),
        "one of two that share a line": shared(),
        "a sender with little to say": steps(simulation.Sparing(line(20 * mbit, 0.04)), 1.0),
    }
    listed = ",\n".join(
        f'  {{"name": {json.dumps(name)}, "steps": [\n'
        + ",\n".join(f"    {json.dumps(step)}" for step in found)
        + "\n  ]}"
        for name, found in cases.items()
    )
    VECTORS.write_text(f'{{\n"about": {json.dumps(ABOUT)},\n"cases": [\n{listed}\n]\n}}\n')


if __name__ == "__main__":
    main()
