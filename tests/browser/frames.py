"""Serves a page to which frames are published 60 times a second; prints where."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from wslink import App, Subscription

app = App()
frames = app.topic("frames", delivery="latest")
running: list[asyncio.Task[None]] = []


@frames.on_subscribe
def begin(subscription: Subscription) -> None:
    if not running:
        running.append(asyncio.get_running_loop().create_task(publish()))


async def publish() -> None:
    number = 0
    while True:
        frames.publish(number)
        number += 1
        await asyncio.sleep(1 / 60)


@app.method("dropped")
def dropped() -> dict[str, int]:
    """By client, how many frames newer ones replaced before they were sent."""
    return {subscription.client_id: subscription.dropped for subscription in frames.subscriptions}


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
app.run(content=str(Path(__file__).parent / "frames"), host="localhost", port=parser.parse_args().port)
