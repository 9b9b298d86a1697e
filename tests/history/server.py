"""The server of a history: `python -m tests.history.server KIND`, where KIND is picows, aiohttp, asgi or reverse.

It publishes and calls its clients all the time, and says at the end what it has published and executed. Other options
are those of an App.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from typing import Any

from tests.history.filling import filled
from tests.history.flows import Flows
from tests.history.streams import Streams
from wslink import App, Limits

TOPICS = 2
KEYS = 3
SIZES = (10,) * 80 + (2_000,) * 12 + (20_000,) * 5 + (200_000,) * 3
"""Bytes of publications, results and arguments; the last two are of several chunks."""
LARGE = 8 * 1024 * 1024
LARGE_EVERY, LARGE_AT = 400, 60
"""One publication of a topic, and one call, in so many is large: the one with that remainder."""


class History:
    """What was published and executed.

    Args:
        app: the server's.
        chance: decides on sizes and pauses.
        pace: the longest pause between publications, in seconds.
    """

    def __init__(self, app: App, chance: random.Random, pace: float) -> None:
        self._app = app
        self._chance = chance
        self._pace = pace
        self._topics = [app.topic(f"history.t{number}") for number in range(TOPICS)]
        self._frames = app.topic("history.frames", delivery="latest")
        self._published = [0] * TOPICS
        self._newest = [-1] * KEYS
        self._executed: dict[str, list[int]] = {}
        self._broken: list[str] = []
        self._flows = Flows(app, chance, pace, self._executed, self._broken)
        self._speaking: list[asyncio.Task[None]] = []
        for name in ("begin", "end", "execute", "late", "waiting"):
            app.method(f"history.{name}")(getattr(self, name))

    async def begin(self) -> None:
        """Publish, and call the clients, from now on."""
        if not self._speaking:
            self._speaking = [asyncio.create_task(self._publish()), asyncio.create_task(self._flows.ask())]

    async def end(self) -> dict[str, Any]:
        """Do so no more; all that was done."""
        for task in self._speaking:
            task.cancel()
        await asyncio.gather(*self._speaking, return_exceptions=True)
        await self._flows.settle()
        record = {"published": self._published, "newest": self._newest, "executed": self._executed}
        return {**record, "asked": self._flows.asked, "broken": self._broken}

    def waiting(self) -> int:
        """Bytes that wait for the client for which most does."""
        return max((client.waiting for client in self._app.clients.values()), default=0)

    def execute(self, client: str, number: int, data: bytes, size: int) -> list[Any]:
        self._executed.setdefault(client, []).append(number)
        if data.count(number % 251) != len(data):
            self._broken.append(f"argument of call {number} of {client}")
        return [number, len(data), filled(number, size)]

    async def late(self, client: str, number: int, data: bytes, size: int) -> list[Any]:
        result = self.execute(client, number, data, size)
        await asyncio.sleep(self._chance.random() / 20)
        return result

    async def _publish(self) -> None:
        chance = self._chance
        while True:
            for _ in range(chance.randrange(4)):
                topic = chance.randrange(TOPICS)
                number = self._published[topic]
                self._published[topic] += 1
                size = LARGE if number % LARGE_EVERY == LARGE_AT else chance.choice(SIZES)
                self._topics[topic].publish([number, filled(number, size)])
            key = chance.randrange(KEYS)
            self._newest[key] += 1
            number = self._newest[key]
            self._frames.publish([number, filled(number, chance.choice(SIZES)), key], key=key)
            await asyncio.sleep(chance.random() * self._pace)


async def serve_asgi(app: App) -> None:
    import uvicorn

    from tests.ports import free_port

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app.asgi(), port=port, log_level="warning", ws_max_size=2**26))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(f"serving ws://127.0.0.1:{port}/ws", flush=True)
    await serving


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("picows", "aiohttp", "asgi", "reverse"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--url", help="where a reverse connection leads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.04)
    parser.add_argument("--max-resume", type=int, default=Limits.max_resume)
    parser.add_argument("--window", type=float, default=Limits.resume_window)
    parser.add_argument("--heart-beat", type=int, default=1)
    parser.add_argument("--content", default="", help="directory of pages that are served at /")
    options = parser.parse_args()
    app = App(secret="history", limits=Limits(max_resume=options.max_resume, resume_window=options.window))
    History(app, random.Random(options.seed), options.pace)
    Streams(app)
    if options.kind == "asgi":
        await serve_asgi(app)
        return
    common = {"heart_beat": options.heart_beat, "ready_msg": ""}
    if options.kind == "reverse":
        server = await app.serve(reverse_url=options.url, **common)
        print("serving", options.url, flush=True)
    else:
        where = {"port": options.port, "host": "127.0.0.1", "content": options.content}
        server = await app.serve(engine=options.kind, **where, **common)
        print(f"serving ws://127.0.0.1:{server.port}/ws", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
