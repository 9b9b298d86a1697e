"""A large argument from our Python client, and small calls beside it.

    python -m benchmarks.uploading ws://127.0.0.1:8080/ws 67108864

It prints the round trips of the small calls and the time of the large one, in seconds, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import wslink
from benchmarks.servers import common

EVERY = 0.1
"""Seconds between small calls."""
BEFORE = 0.05
"""Seconds until the first."""


async def measure(url: str, size: int) -> dict[str, object]:
    async with wslink.connect(url, secret=common.SECRET) as link:
        begun = time.monotonic()
        upload = asyncio.create_task(link.call("bench.take", bytes(size)))
        await asyncio.sleep(BEFORE)
        calls = set()
        while not upload.done():
            calls.add(asyncio.create_task(trip(link)))
            await asyncio.sleep(EVERY)
        seconds = time.monotonic() - begun
        assert await upload == size
        return {"trips": [await call for call in calls], "seconds": seconds}


async def trip(link: wslink.Link) -> float:
    """The seconds that a small call takes."""
    start = time.monotonic()
    await link.call("bench.add", 1, 2, 3)
    return time.monotonic() - start


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))))
