"""Servers of every kind, each in a process of its own, that serve the same methods and topic."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from wslink import App, Call, Limits, Viewer
from wslink import register as export_rpc
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol, ServerProtocol

Report = Callable[[dict[str, Any]], None]
SECRET = "secret"
PUBLISH_EVERY = 0.02
RENDERING, COMPUTING = 20_000, 200_000
"""What is added up for each viewer, in about 0.3 ms, and for a call, in about 3 ms."""


def make_app(limits: Limits) -> App:
    """What an attack may make work: a quick method, slow ones, big results, and a topic that is published to."""
    app = App(secret=SECRET, limits=limits)
    topic = app.topic("test.topic")

    @app.method("test.quick")
    def quick(value: int = 0) -> int:
        return value

    @app.method("test.slow", thread=True)
    def slow(seconds: float = 1) -> None:
        time.sleep(min(seconds, 2))

    waiting = 0

    @app.method("test.later")
    async def later(seconds: float = 1) -> None:
        nonlocal waiting
        waiting += 1
        try:
            await asyncio.sleep(min(seconds, 60))
        finally:
            waiting -= 1

    @app.method("test.count")
    def count() -> int:
        return waiting

    @app.method("test.echo")
    def echo(value: Any) -> Any:
        return value

    @app.method("test.big")
    def big(size: int) -> bytes:
        return bytes(min(size, 1 << 20))

    @app.method("test.compute")
    def compute() -> int:
        return sum(range(COMPUTING))

    @app.method("test.ask")
    async def ask(call: Call) -> Any:
        return await call.client.call("page.value", timeout=60, on_progress=lambda value: None)

    @app.method("test.publish")
    def publish(size: int = 100) -> None:
        topic.publish(bytes(min(size, 1 << 20)), tags={"row": 1})

    costly_topics(app)
    return app


def costly_topics(app: App) -> None:
    """What one subscription makes work: many values that are retained, rendering, who is present."""
    kept = app.topic("test.kept", delivery="latest", retain=True)
    for number in range(1024):
        kept.publish({"n": number}, tags={"n": number})
    view = app.topic("test.view", delivery="latest")

    @view.on_demand
    def render(viewer: Viewer) -> int:
        return sum(range(RENDERING))

    @app.method("test.change")
    def change() -> None:
        view.changed()

    fresh = app.topic("test.fresh", delivery="latest")

    @app.method("test.freshen")
    def freshen(key: int) -> None:
        fresh.publish({"key": key}, tags={"n": key}, key=key)

    app.presence("test.present", "all")

    @app.on_connect
    def join(client_id: str) -> None:
        app.clients[client_id].join("all")


class Methods(LinkProtocol):
    """The same for software of the released API."""

    @export_rpc("test.quick")
    def quick(self, value: int = 0) -> int:
        return int(value)  # nobody checks arguments for these: it raises

    @export_rpc("test.later")
    async def later(self, seconds: float = 1) -> None:
        await asyncio.sleep(min(seconds, 60))

    @export_rpc("test.echo")
    def echo(self, value: Any) -> Any:
        return value

    @export_rpc("test.compute")
    def compute(self) -> int:
        return sum(range(COMPUTING))

    @export_rpc("test.big")
    def big(self, size: int) -> bytes:
        return bytes(min(size, 1 << 20))

    @export_rpc("test.publish")
    def publish_some(self, size: int = 100) -> None:
        self.publish("test.topic", bytes(min(size, 1 << 20)))


async def _publish(publish: Callable[[int], Any]) -> None:
    number = 0
    while True:
        await asyncio.sleep(PUBLISH_EVERY)
        publish(number := number + 1)


def _publisher(app: App) -> Coroutine[Any, Any, None]:
    topic = app.topic("test.topic")
    return _publish(lambda number: topic.publish({"n": number}, tags={"row": number % 8, "kind": "frame"}))


async def _app(report: Report, limits: Limits, **settings: Any) -> None:
    app = make_app(limits)
    async with await app.serve(host="127.0.0.1", port=0, ready_msg="", **settings) as server:
        report({"port": server.port})
        await _publisher(app)


async def picows(report: Report, limits: Limits, **settings: Any) -> None:
    await _app(report, limits, engine="picows", **settings)


async def aiohttp(report: Report, limits: Limits, **settings: Any) -> None:
    await _app(report, limits, engine="aiohttp", **settings)


async def asgi(report: Report, limits: Limits, **_: Any) -> None:
    import uvicorn

    app = make_app(limits)
    server = uvicorn.Server(uvicorn.Config(app.asgi(), port=0, log_level="critical", ws_max_size=64 << 20))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    report({"port": server.servers[0].sockets[0].getsockname()[1]})
    asyncio.get_running_loop().create_task(_publisher(app))
    await task


async def tornado(report: Report, limits: Limits, **_: Any) -> None:
    protocol = ServerProtocol()
    protocol.updateSecret(SECRET)
    protocol.registerLinkProtocol(Methods())
    config = {"host": "127.0.0.1", "port": 0, "handle_signals": False, "ws": {"ws": protocol}}
    server = create_webserver(config, "tornado")
    report({"port": server.get_port()})
    task = asyncio.create_task(server.start())
    asyncio.get_running_loop().create_task(_publish(lambda number: protocol.publish("test.topic", {"n": number})))
    await task


async def reverse(report: Report, limits: Limits, dial: int = 0, **_: Any) -> None:
    """An App that dials the attacker, and one in the same event loop whose client feels it."""
    felt, attacked = make_app(limits), make_app(limits)
    async with await felt.serve(host="127.0.0.1", port=0, ready_msg="") as server:
        report({"port": server.port})
        url = f"ws://127.0.0.1:{dial}/ws"
        while True:
            try:
                async with await attacked.serve(reverse_url=url, ready_msg="", handle_signals=False):
                    await _publisher(attacked)
            except OSError:
                await asyncio.sleep(0.05)


async def dialing(report: Report, limits: Limits, url: str = "", **_: Any) -> None:
    """An App behind a relay."""
    app = make_app(limits)
    async with await app.serve(reverse_url=url, ready_msg=""):
        report({})
        await _publisher(app)


def relay(port: int) -> None:
    """The relay's own command."""
    from wslink.relay.cli import main as run

    run(["--host", "127.0.0.1", "--port", str(port), "--mode", "relay"])


KINDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "picows": picows, "aiohttp": aiohttp, "asgi": asgi, "tornado": tornado, "reverse": reverse,
    "dialing": dialing,
}  # fmt: skip


def main(kind: str, answers: Any, limits: dict[str, Any], options: dict[str, Any]) -> None:
    """Serve until the process is ended; where it is reached goes to the pipe `answers`."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.lastResort = None
    if kind == "relay":
        relay(options["port"])
        return
    asyncio.run(KINDS[kind](answers.send, dataclasses.replace(Limits(), **limits), **options))
