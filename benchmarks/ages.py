"""How old frames are on a slow line, second by second. Drawn by plot.py."""

from __future__ import annotations

import asyncio
import time

from benchmarks.frames import PEERS
from benchmarks.pages import Page, on_a_line
from benchmarks.process import Server
from benchmarks.workloads.flow import FRAME, LINES, RATE, SECONDS

COLUMNS = {
    "App, with flow": "ours flow",
    "App, released client": "ours v2",
    "wslink 2.6.0": "2.6.0",
}
POINTS = 50
"""Frames of a curve that are drawn, at most."""

Curve = dict[str, dict[str, list[list[float]]]]


async def ages() -> Curve:
    """The age of each frame when the page is done with it, by when that is."""
    curve: Curve = {}
    for line, (rate, delay, _) in LINES.items():
        curve[f"age {line}"] = {name: await _ages(peer, rate, delay) for name, peer in COLUMNS.items()}
    return curve


async def _ages(peer: str, rate: float, delay: float) -> list[list[float]]:
    with Server(PEERS[peer], f"--hold={FRAME}", "--delivery=latest") as server:
        async with on_a_line(server, rate, delay) as (client, _):
            page = Page(client)
            await page.begin()
            begun = time.monotonic()
            page.call("bench.frames", FRAME, RATE, SECONDS)
            await asyncio.sleep(SECONDS)
    step = -(-len(page.ages) // POINTS)
    return [[round(done - begun, 3), round(age * 1e3, 1)] for done, age in page.ages[::step]]
