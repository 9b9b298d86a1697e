"""A FastAPI application with a live link: what is posted over REST appears in every page at once."""

from __future__ import annotations

import struct
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from wslink import App

link = App()
readings = link.topic("example.reading")
history: list[float] = []

app = FastAPI()


@link.method("example.history")
def read_history(count: int = 100) -> dict[str, bytes]:
    """The newest readings, as float64 in binary."""
    newest = history[-count:]
    return {"values": struct.pack(f"<{len(newest)}d", *newest)}


@app.post("/readings")
async def add_reading(value: float) -> dict[str, int]:
    """REST in, publication out."""
    history.append(value)
    del history[:-1000]
    return {"viewers": readings.publish({"value": value, "number": len(history)}, tags={"value": value})}


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "www" / "index.html")


app.mount("/live", link.asgi())
