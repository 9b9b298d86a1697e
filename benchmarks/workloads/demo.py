"""The demo in Chromium on a slow line, while its light turns."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from typing import Any

import msgspec

from benchmarks import environments
from benchmarks.environments import ROOT
from benchmarks.frames import PEERS
from benchmarks.line import Line
from benchmarks.pages import BUFFER, percentile
from benchmarks.process import Server
from benchmarks.workload import Metric, Samples, Script

SECONDS, WARM = 10.0, 3.0
RATE, DELAY = 20e6, 0.04
SCRIPT = ROOT / "benchmarks" / "decode" / "demo.mjs"


def in_chromium(peers: tuple[str, ...], windows: int) -> Samples:
    """The age of a light when all tiles of it are on the screen, from when the server was told of it."""
    environments.javascript()
    found = [_once(name) for name in peers for _ in range(windows)]
    return {name: {key: [one[key] for one in found] for key in found[0]} for name in peers}


def _once(name: str) -> dict[str, float]:
    with (
        tempfile.TemporaryFile() as log,
        Server(PEERS[name], output=log) as server,
        Line(server.port, rate=RATE, delay=DELAY, buffer=BUFFER) as line,
    ):
        shown = asyncio.run(_page(f"http://127.0.0.1:{line.port}/"))
        log.seek(0)
        set_at = dict(map(_light, (row.decode().split() for row in log if row[:1].isdigit())))
    lights = shown["lights"]
    ages = [light["at"] - set_at[light["number"]] for light in lights if light["number"] in set_at]
    return {
        "age_p50": percentile(ages, 50),
        "age_p95": percentile(ages, 95),
        "shown": len(lights) / SECONDS,
        "quality": sum(light["quality"] for light in lights) / max(len(lights), 1),
        "errors": len(shown["errors"]),
    }


def _light(row: list[str]) -> tuple[int, float]:
    """The number of a light, and when it was set."""
    number, at = row
    return int(number), float(at)


async def _page(url: str) -> dict[str, Any]:
    command = ["node", str(SCRIPT), url, str(SECONDS), str(WARM)]
    node = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, preexec_fn=_all_cores)
    output, _ = await node.communicate()
    if node.returncode:
        raise RuntimeError("the page failed")
    found: dict[str, Any] = msgspec.json.decode(output)
    return found


def _all_cores() -> None:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


WORKLOADS = (
    Script(
        name="demo-20m", title="the demo in Chromium on 20 Mbit/s, 80 ms, light turning",
        peers=("ours demo",), windows=1,
        metrics=(
            Metric("age_p50", "ms from its change until all of it is shown, p50", "wall"),
            Metric("age_p95", "ms from its change until all of it is shown, p95", "wall", targets=(("", 300.0),)),
            Metric("shown", "lights shown per second", "throughput", True),
            Metric("quality", "quality, mean", "throughput", True),
            Metric("errors", "errors and warnings on the console", "exact", targets=(("", 0.0),)),
        ),
        measure=in_chromium,
    ),
)  # fmt: skip
