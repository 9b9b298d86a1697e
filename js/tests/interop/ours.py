"""The server of this project, with the methods that server.test.ts calls. Prints its port.

Usage: ours.py [ENGINE [MAX_MESSAGE [PORT [RESUME_WINDOW]]]]
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator

import numpy

from wslink import App, Call, Limits

engine, max_message, port, window = [*sys.argv[1:], *["auto", 2**30, 0, 60][len(sys.argv) - 1 :]]
app = App(secret="s3cret", limits=Limits(max_message=int(max_message), resume_window=float(window)))
numbers = app.topic("test.numbers")
tiles = app.topic("test.tiles")
newest = app.topic("test.newest", delivery="latest")


@app.method("test.add")
def add(a, b=1):
    return a + b


@app.method("test.echo")
def echo(value):
    return value


@app.method("test.fail")
def fail():
    raise ValueError("no way")


@app.method("test.ask")
async def ask(call: Call, method: str, *args, timeout: float = 10.0):
    """Calls its caller back."""
    try:
        return await call.client.call(method, *args, timeout=timeout)
    except TimeoutError:
        return "timeout"


@app.method("test.steps", thread=True)
def steps(call: Call, count: int):
    for step in range(count):
        call.progress([step, numpy.arange(3)])
    return count


@app.method("test.slide", latest=True)
async def slide(value):
    await asyncio.sleep(0.02)
    return value


@app.method("test.dismiss")
def dismiss(call: Call):
    call.client.disconnect("enough")


@app.method("test.unserializable")
def unserializable():
    return object()


@app.method("test.zeros")
def zeros(size):
    return bytes(size)


@app.method("test.length")
def length(data):
    return len(data)


@app.method("test.keys")
def keys(kind):
    return {{"bool": True, "none": None, "bytes": b"k", "tuple": (1, 2), "int": 1, "float": 1.5}[kind]: "value"}


@app.method("test.nested")
def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


@app.method("test.integer")
def integer(value: int):
    return str(value)


cancelled: list[float] = []


@app.method("test.sleep")
async def sleep(seconds):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled.append(seconds)
        raise


@app.method("test.cancelled")
def which():
    return cancelled


ended = []


@app.method("test.hang")
async def hang(name):
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ended.append(name)
        raise


@app.method("test.hang_in_thread", thread=True)
def hang_in_thread(name, call: Call):
    while not call.cancelled:
        time.sleep(0.002)
    ended.append(name)


@app.method("test.ended")
def what_ended():
    return ended


@app.method("test.publish")
def publish(count, size=0):
    for number in range(count):
        numbers.publish({"number": number, "data": bytes(size)})
    return "published"


@app.method("test.publish_tiles")
def publish_tiles(rows):
    for row in range(rows):
        tiles.publish({"row": row}, tags={"row": row})


executed: list[int] = []


@app.method("test.execute")
async def execute(number, data=b""):
    executed.append(number)
    await asyncio.sleep(0.001 * (number % 5))
    return {"number": number, "data": data}


@app.method("test.executed")
def how_often():
    return executed


@app.method("test.stream_numbers")
async def stream_numbers(count, pause):
    for number in range(count):
        numbers.publish({"number": number, "data": bytes(300_000 if number % 50 == 7 else 10)})
        await asyncio.sleep(pause)


closed: list[str] = []


@app.method("test.count")
async def count_up(count: int, size: int = 0, fails: bool = False) -> AsyncIterator[dict]:
    """Items of which every tenth is of `size` bytes."""
    try:
        for number in range(count):
            yield {"number": number, "data": bytes(size if number % 10 == 3 else 5)}
        if fails:
            raise ValueError("no more")
    finally:
        closed.append(f"{number + 1} of {count}")


@app.method("test.count_in_thread", run="thread")
def count_in_thread(count: int) -> Iterator[int]:
    yield from range(count)


@app.method("test.closed")
def how_closed():
    return closed


@app.method("test.collect")
async def collect(name: str, data: AsyncIterator[bytes], stop_after: int = -1) -> dict:
    numbers, total = [], 0
    async for part in data:
        numbers.append(int.from_bytes(part[:4], "little"))
        total += len(part)
        if len(numbers) == stop_after:
            break
    return {"name": name, "numbers": numbers, "total": total}


@app.method("test.double")
async def double(values: AsyncIterator[float]) -> AsyncIterator[float]:
    async for value in values:
        yield 2 * value


@app.method("test.grid")
def grid(dtype, shape):
    return numpy.arange(int(numpy.prod(shape))).astype(dtype).reshape(shape)


@app.method("test.describe")
def describe(array):
    return [array.dtype.str, list(array.shape), array.ravel().tolist()]


async def main():
    server = await app.serve(port=int(port), engine=engine)
    sys.stdout.write(f"port {server.port}\n")
    sys.stdout.flush()
    await server.wait_closed()


asyncio.run(main())
