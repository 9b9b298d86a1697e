"""Our App."""

from __future__ import annotations

import asyncio
import contextlib

import common

from wslink import App, Viewer

options = common.options()
app = App(secret=common.SECRET)
topic = app.topic(common.TOPIC, delivery=options.delivery)
running: list[asyncio.Task[None]] = []


@app.method("bench.add")
def add(a: int, b: int, c: int) -> int:
    return a + b + c


@app.method("bench.publish")
async def publish(size: int, count: int = 1) -> None:
    payload = common.binary(size)
    for _ in range(count):
        topic.publish(payload)
        await asyncio.sleep(0)


@app.method("bench.publish_rows")
async def publish_rows(size: int, count: int, rows: int) -> None:
    payload = common.binary(size)
    for index in range(count):
        topic.publish(payload, tags={"row": index % rows})
        await asyncio.sleep(0)


@app.method("bench.array")
async def array(size: int, count: int = 1) -> None:
    import numpy

    values = numpy.frombuffer(common.binary(size), "<f4")
    for _ in range(count):
        topic.publish(values)
        await asyncio.sleep(0)


@app.method("bench.stream")
async def stream(size: int, rate: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for index in range(count):
        topic.publish(common.binary(size))
        await asyncio.sleep(max(0.0, begin + (index + 1) / rate - loop.time()))


@app.method("bench.frames")
async def frames(size: int, rate: float, seconds: float) -> None:
    running.append(asyncio.create_task(render(size, rate, seconds)))


async def render(size: int, rate: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for index in range(int(rate * seconds)):
        topic.publish(common.stamped(size))
        await asyncio.sleep(max(0.0, begin + (index + 1) / rate - loop.time()))


turned = {"number": 0, "size": 0, "renders": 0}
"""How often the scene has turned, the bytes of its picture or 0 for a JPEG file, and how many were rendered."""


def show(viewer: Viewer) -> bytes | None:
    if not turned["number"]:
        return None
    turned["renders"] += 1
    if turned["size"]:
        return common.stamped(turned["size"])
    import pictures

    return pictures.jpeg(turned["number"], viewer.quality)


if options.on_demand:  # each new client costs a call of it
    view = app.topic("bench.view", delivery="latest")
    view.on_demand(show)


@app.method("bench.turn")
async def turn(size: int, rate: float, seconds: float) -> None:
    """Turn the scene, with a picture that is always as large or, of size 0, of the quality that is asked for."""
    turned["size"] = size
    if not size:
        import pictures

        pictures.scenes()
    running.append(asyncio.create_task(turning(rate, seconds)))


async def turning(rate: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for index in range(int(rate * seconds)):
        turned["number"] += 1
        view.changed()
        await asyncio.sleep(max(0.0, begin + (index + 1) / rate - loop.time()))


@app.method("bench.renders")
def renders() -> int:
    return turned["renders"]


@app.method("bench.binary")
def result_binary(size: int) -> bytes:
    return common.binary(size)


@app.method("bench.text")
def result_text(size: int) -> str:
    return common.text(size)


@app.method("bench.take")
def take(data: bytes) -> int:
    return len(data)


@app.method("bench.count_encodings")
def count_encodings() -> int:
    payload = common.Counted()
    topic.publish(payload)
    return payload.readings


def settings() -> dict[str, object]:
    chosen: dict[str, object] = {"port": options.port, "host": "127.0.0.1", "ws_compress": options.compress}
    if options.engine != "auto":
        chosen["engine"] = options.engine
    if options.loop != "asyncio":
        chosen["loop"] = options.loop
    return chosen


with contextlib.suppress(KeyboardInterrupt):
    app.run(**settings())
