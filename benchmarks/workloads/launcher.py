"""The launcher: its proxy beside a direct connection, and how soon it answers.

The proxy's ways take turns with the same message. "Handed over" is what a session with our server gets; "carried" is
the tunnel that any other software gets.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.frames import PEERS, FrameOut, Peer
from benchmarks.load import Client, clients, pump
from benchmarks.process import SERVERS
from benchmarks.workload import Metric, Samples, Script

MIB = 1024 * 1024
TURNS = 60
"""Measurements of each way; all ways take a turn before the next. The median counts."""
CALLS = 100
"""Small calls, one after the other, of a turn."""
WAYS = ("direct", "handed", "carried")

STARTS = 40

PROXY = (
    Metric("direct_ms", "ms per 8 MiB, direct", "wall"),
    Metric("handed_ratio", "8 MiB handed over, x direct", "wall", targets=(("", 1.15),)),
    Metric("carried_ratio", "8 MiB carried, x direct", "wall"),
    Metric("direct_us", "us per small call, direct", "wall"),
    Metric("handed_more_us", "us more handed over", "wall", targets=(("", 100.0),), slack=20.0),
    Metric("carried_more_us", "us more carried", "wall"),
)
ANSWERS = (
    Metric("pool_p50_ms", "ms, a hit of the pool, p50", "wall", targets=(("", 50.0),)),
    Metric("pool_p95_ms", "the same, p95", "wall", targets=(("", 50.0),)),
    Metric("line_p50_ms", "ms, ready line to answer, p50", "wall", targets=(("", 50.0),)),
    Metric("line_p95_ms", "the same, p95", "wall", targets=(("", 50.0),)),
    Metric("port_p50_ms", "ms, open port to answer, p50", "wall", targets=(("", 50.0),)),
    Metric("port_p95_ms", "the same, p95", "wall", targets=(("", 50.0),)),
)


async def proxied(peer: Peer) -> dict[str, float]:
    dialect = peer.dialect
    script, *more = peer.server
    command = [_python(peer), str(SERVERS / script), "--port=${port}", f"--hold={8 * MIB}", *more]
    app = {"cmd": command, "ready_line": "Starting factory"}
    with launcher(peer, {"handed": app, "carried": {**app, "env": {"WSLINK_HANDOVER": ""}}}) as running:
        handed, carried = running.start("handed"), running.start("carried")
        async with (
            clients(f"ws://127.0.0.1:{handed['port']}{dialect.path}", dialect, 1) as (one,),
            clients(running.url(handed), dialect, 1) as (two,),
            clients(running.url(carried), dialect, 1) as (three,),
        ):
            ways = dict(zip(WAYS, (one, two, three), strict=True))
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
            await pump(client, frames, 1, 1)  # what the way before has left in the caches is not its own
            begin = time.perf_counter()
            await pump(client, frames, 1, count)
            if turn > 1:
                seconds[way].append((time.perf_counter() - begin) / count)
    return {way: statistics.median(found) for way, found in seconds.items()}


async def answers(peer: Peer) -> dict[str, float]:
    program = [_python(peer), "-S", "-E", "-c"]
    stamp = "import sys, time; sys.stdout.write(f'{time.time()} it is ready\\n'); sys.stdout.flush(); time.sleep(600)"
    listen = "import socket; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))"
    port = f"import sys; {listen}; {stamp}"
    apps = {
        "pool": {"cmd": [*program, stamp], "ready_line": "it is ready", "pool": 3},
        "line": {"cmd": [*program, stamp], "ready_line": "it is ready"},
        "port": {"cmd": [*program, port, "${port}"]},
    }
    found = {}
    with launcher(peer, apps) as running:
        for name in apps:
            seconds = []
            for _ in range(STARTS):
                await asyncio.sleep(0.3)  # the pool is filled again
                begin = time.time()
                session = running.start(name)
                end = time.time()
                seconds.append(end - (begin if name == "pool" else running.stamp(session)))
                running.stop(session)
            seconds.sort()
            found[f"{name}_p50_ms"] = seconds[STARTS // 2] * 1e3
            found[f"{name}_p95_ms"] = seconds[STARTS * 95 // 100] * 1e3
    return found


class Running:
    """A launcher that runs."""

    def __init__(self, address: str, directory: str) -> None:
        self._address = address
        self._directory = Path(directory)
        self._http = http.client.HTTPConnection(address)

    def start(self, application: str) -> Any:
        return self._ask("POST", "", json.dumps({"application": application}))

    def stop(self, session: Any) -> None:
        self._ask("DELETE", session["id"])

    def url(self, session: Any) -> str:
        return str(session["sessionURL"]).replace("USE_HOST", self._address)

    def stamp(self, session: Any) -> float:
        """When the session says that it was ready."""
        return float((self._directory / f"{session['id']}.txt").read_text().split()[0])

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        self._http.request(method, f"/viewers/{path}", body)
        answer = self._http.getresponse()
        told = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(f"the launcher answers {answer.status}: {told}")
        return told


@contextlib.contextmanager
def launcher(peer: Peer, apps: dict[str, Any]) -> Iterator[Running]:
    """A launcher on any core, with its sessions."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "launcher.json"
        path.write_text(json.dumps(_configuration(directory, apps)))
        process = subprocess.Popen(
            [_python(peer), "-m", "wslink.launcher", str(path)],
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1)),
        )
        try:
            assert process.stdout is not None
            yield Running(process.stdout.readline().decode().split()[-1], directory)
        finally:
            process.terminate()
            process.wait()


def _configuration(directory: str, apps: dict[str, Any]) -> dict[str, Any]:
    return {
        "configuration": {
            "host": "127.0.0.1",
            "port": 0,
            "endpoint": "viewers",
            "proxy_file": "",
            "sessionURL": "ws://USE_HOST/viewers/session/${id}/${token}/ws",
            "timeout": 20,
            "log_dir": directory,
            "fields": ["port"],
            "delete": True,
            "starts_per_minute": 0,
        },
        "resources": [{"host": "127.0.0.1", "port_range": [30100, 30199]}],
        "properties": {},
        "apps": apps,
    }


def _python(peer: Peer) -> str:
    return str(environments.python(peer.environment))


def each(measure: Callable[[Peer], Coroutine[Any, Any, dict[str, float]]]) -> Callable[[tuple[str, ...], int], Samples]:
    """What measures columns one after the other, each once: within, the ways take turns."""

    def run(peers: tuple[str, ...], windows: int) -> Samples:
        found = {name: asyncio.run(measure(PEERS[name])) for name in peers}
        return {name: {key: [value] for key, value in figures.items()} for name, figures in found.items()}

    return run


WORKLOADS = (
    Script(
        name="proxy", title="the launcher's proxy", peers=("ours v2", "compat v2"), metrics=PROXY,
        measure=each(proxied), windows=1,
    ),
    Script(
        name="launch", title="the launcher's answers", peers=("ours v2",), metrics=ANSWERS, measure=each(answers),
        windows=1,
    ),
)  # fmt: skip
