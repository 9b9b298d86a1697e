"""The launcher's own proxy beside a direct connection: the same session, through each in turn.

"Handed over" is what a session with our server gets; "carried" is the tunnel that any other software gets. The server
that the other workloads measure has nothing to do here.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.frames import FrameOut
from benchmarks.load import Client, clients, pump
from benchmarks.process import SERVERS, Server
from benchmarks.workload import Metric, Workload

MIB = 1024 * 1024
TURNS = 60
"""Measurements of each way; all ways take a turn before the next. The median counts."""
CALLS = 100
"""Small calls, one after the other, of a turn."""
WAYS = ("direct", "handed", "carried")

METRICS = (
    Metric("direct_ms", "ms per 8 MiB, direct"),
    Metric("handed_ratio", "8 MiB handed over, x direct", targets=(("", 1.15),)),
    Metric("carried_ratio", "8 MiB carried, x direct"),
    Metric("direct_us", "us per small call, direct"),
    Metric("handed_more_us", "us more handed over", targets=(("", 100.0),)),
    Metric("carried_more_us", "us more carried"),
)


async def proxied(server: Server) -> dict[str, float]:
    dialect = server.peer.dialect
    with launcher(server) as urls:
        async with (
            clients(urls["direct"], dialect, 1) as (direct,),
            clients(urls["handed"], dialect, 1) as (handed,),
            clients(urls["carried"], dialect, 1) as (carried,),
        ):
            ways = dict(zip(WAYS, (direct, handed, carried), strict=True))
            large = await turns(ways, dialect.call("bench.binary", [8 * MIB]), 1)
            small = await turns(ways, dialect.call("bench.add", [1, 2, 3]), CALLS)
    return {
        "direct_ms": large["direct"] * 1e3,
        "handed_ratio": large["handed"] / large["direct"],
        "carried_ratio": large["carried"] / large["direct"],
        "direct_us": small["direct"] * 1e6,
        "handed_more_us": (small["handed"] - small["direct"]) * 1e6,
        "carried_more_us": (small["carried"] - small["direct"]) * 1e6,
    }


async def turns(ways: dict[str, Client], frames: list[FrameOut], count: int) -> dict[str, float]:
    """Seconds that a call takes, by way; `count` are made one after the other."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(TURNS + 2):
        for way, client in list(ways.items())[:: 1 if turn % 2 else -1]:
            begin = time.perf_counter()
            await pump(client, frames, 1, count)
            if turn > 1:
                seconds[way].append((time.perf_counter() - begin) / count)
    return {way: statistics.median(found) for way, found in seconds.items()}


@contextlib.contextmanager
def launcher(server: Server) -> Iterator[dict[str, str]]:
    """A launcher with two sessions of our server; the address of each way."""
    python = str(environments.python(server.peer.environment))
    script, *more = server.peer.server
    command = [python, str(SERVERS / script), "--port=${port}", f"--hold={8 * MIB}", *more]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "launcher.json"
        path.write_text(json.dumps(_configuration(folder, command)))
        process = subprocess.Popen(
            [python, "-m", "wslink.launcher", str(path)],
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1)),
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().split()[-1]
            handed, carried = (_start(address, name) for name in ("handed", "carried"))
            yield {
                "direct": f"ws://127.0.0.1:{handed['port']}{server.peer.dialect.path}",
                "handed": handed["sessionURL"].replace("USE_HOST", address),
                "carried": carried["sessionURL"].replace("USE_HOST", address),
            }
        finally:
            process.terminate()
            process.wait()


def _configuration(folder: str, command: list[str]) -> dict[str, Any]:
    app = {"cmd": command, "ready_line": "Starting factory"}
    return {
        "configuration": {
            "host": "127.0.0.1",
            "port": 0,
            "endpoint": "viewers",
            "proxy_file": "",
            "sessionURL": "ws://USE_HOST/viewers/session/${id}/${token}/ws",
            "timeout": 20,
            "log_dir": folder,
            "fields": ["port"],
        },
        "resources": [{"host": "127.0.0.1", "port_range": [30100, 30199]}],
        "properties": {},
        "apps": {"handed": app, "carried": {**app, "env": {"WSLINK_HANDOVER": ""}}},
    }


def _start(address: str, application: str) -> Any:
    body = json.dumps({"application": application}).encode()
    with urllib.request.urlopen(f"http://{address}/viewers/", body) as answer:
        return json.load(answer)


WORKLOADS = (
    Workload("proxy", "the launcher's proxy", ("ours g2", "released API g2"), METRICS, proxied, rounds=1),
)  # fmt: skip
