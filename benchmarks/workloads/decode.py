"""The TypeScript client: how fast it decodes, what it copies, how large it is."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import environments
from benchmarks.environments import ROOT
from benchmarks.process import Server
from benchmarks.servers.common import SECRET
from benchmarks.workload import NPM, Load, Metric, Samples, Script, Window

DECODE = ROOT / "benchmarks" / "decode"
CLIENTS = ("ours v2", "compat v2")
SIZES = {"1k": "1 KiB", "1m": "1 MiB", "64m": "64 MiB"}
ROUNDS = 3
ARRAY, ARRAYS = 64 * 1024 * 1024, 4


def in_node(peers: tuple[str, ...], windows: int) -> Samples:
    """Publications per second on a core; clients take turns, in processes of their own."""
    environments.javascript()
    samples: Samples = {}
    for _ in range(ROUNDS):
        for name in peers:
            for key, values in _node("node.mjs", -(-windows // ROUNDS), name)[name].items():
                samples.setdefault(name, {}).setdefault(key, []).extend(values)
    return samples


def in_chromium(peers: tuple[str, ...], windows: int) -> Samples:
    """Publications per second by the clock of a page; clients take turns in it."""
    environments.javascript()
    return {name: figures for name, figures in _node("chromium.mjs", windows).items() if name in peers}


def _node(script: str, *arguments: object) -> Samples:
    command = ["node", str(DECODE / script), *map(str, arguments)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, preexec_fn=_all_cores)
    samples: Samples = json.loads(run.stdout)
    return samples


def _all_cores() -> None:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


@asynccontextmanager
async def array_in_page(server: Server) -> AsyncIterator[Window]:
    """64 MiB of NumPy to a page: what both sides copy."""
    environments.javascript()

    async def window() -> dict[str, float]:
        idle = server.memory()
        server.reset_peak()
        arguments = [server.url, SECRET, str(ARRAY), str(ARRAYS)]
        if server.peer.name.startswith("released"):
            arguments.append("legacy")
        node = await asyncio.create_subprocess_exec(
            "node", DECODE / "array.mjs", *arguments, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await node.communicate()
        if node.returncode:
            raise RuntimeError("the page failed")
        figures: dict[str, float] = json.loads(output)
        return {**figures, "peak_ratio": (server.peak_memory() - idle) / ARRAY}

    yield window


def bundle(peers: tuple[str, ...], windows: int) -> Samples:
    """Bytes of what a page loads, minified and gzipped."""
    environments.javascript()
    npm = ROOT / "js" / "node_modules" / "wslink2" / "dist" / "wslink.js"
    files = {"ours v2": "js/dist/client.js", "compat v2": "js/dist/wslink.js", NPM: npm}
    return {name: {"kb": [len(gzip.compress((ROOT / files[name]).read_bytes(), 9)) / 1000]} for name in peers}


def decode_metrics(clock: str) -> tuple[Metric, ...]:
    return tuple(
        Metric(key, f"{size} publications per second{clock}", "throughput", True, ((NPM, 2.0),))
        for key, size in SIZES.items()
    )


WORKLOADS = (
    Script(
        name="decode-node", title="TypeScript client, decode in Node", peers=(*CLIENTS, NPM),
        metrics=decode_metrics(" on a core"), measure=in_node,
    ),
    Script(
        name="decode-chromium", title="TypeScript client, decode in Chromium", peers=(*CLIENTS, NPM), windows=7,
        metrics=decode_metrics(""), measure=in_chromium,
    ),
    Script(
        name="bundle", title="client bundle", peers=(*CLIENTS, NPM), windows=1,
        metrics=(Metric("kb", "kB minified and gzipped", "exact", targets=(("", 12.0),)),), measure=bundle,
    ),
    Load(
        name="array-page", title="64 MiB NumPy array to a page's typed array", peers=CLIENTS, windows=1, restart=True,
        metrics=(
            Metric("copies", "copies in the page", "exact", targets=(("", 1.0),)),
            Metric("peak_ratio", "peak memory of Python over idle, in messages", "memory", targets=(("", 0.5),)),
            Metric("mb_per_s", "MB/s", "throughput", True),
        ),
        ready=array_in_page, arguments=(f"--hold={ARRAY}",), environment={"WSLINK_ORIGINS": "*"},
    ),
)  # fmt: skip
