"""The server's side of the interoperability cases, as an App."""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

from wslink import App

app = App(secret="interop")
news = app.topic("interop.news")


@app.method("interop.add")
def add(a: float, b: float, c: float = 0) -> float:
    return a + b + c


@app.method("interop.echo")
def echo(value: Any = None) -> Any:
    return value


@app.method("interop.fail")
def fail() -> None:
    raise ValueError("meant to fail")


@app.method("interop.unserialisable")
def unserialisable() -> object:
    return object()


@app.method("interop.numbers")
def numbers() -> list[float]:
    return [math.nan, math.inf, -math.inf, 0.5]


@app.method("interop.bytes")
def some_bytes(size: int) -> dict[str, Any]:
    return {"deep": [{"data": bytes(range(256)) * (size // 256)}], "size": size}


@app.method("interop.size")
def size_of(value: dict[str, Any]) -> list[int]:
    data = value["deep"][0]
    return [len(data), sum(data[:1000])]


@app.method("interop.publish")
def publish(count: int) -> str:
    for n in range(count):
        news.publish({"n": n, "data": bytes([n]) * 3})
    return "published"


@app.method("interop.slow")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
