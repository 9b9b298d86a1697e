"""Runs a workload: one window of each column after another, so that all meet the same weather."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks import environments
from benchmarks.frames import PEERS
from benchmarks.process import Server
from benchmarks.workload import Load, Samples, Script, Window, Workload


def run(workload: Workload, chosen: Sequence[str] = (), windows: int | None = None) -> Samples:
    """All figures of the workload's columns, or of those that are chosen; one that fails is left out, with a word."""
    peers = tuple(chosen or workload.peers)
    count = windows or workload.windows
    if isinstance(workload, Script):
        try:
            return workload.measure(peers, count)
        except Exception as error:
            _complain(workload, "all", error)
            return {}
    assert isinstance(workload, Load)
    for name in peers:  # made now, and not while others are being measured
        environments.python(PEERS[name].environment)
    return asyncio.run((_apart if workload.restart else _together)(workload, peers, count))


async def _together(workload: Load, peers: Sequence[str], count: int) -> Samples:
    async with AsyncExitStack() as stack:
        measuring = {}
        for name in peers:
            try:
                measuring[name] = await stack.enter_async_context(_ready(workload, name))
            except Exception as error:
                _complain(workload, name, error)
        samples: Samples = {name: {} for name in measuring}
        for index in range(count + 1):
            for name in list(measuring):
                figures = await _once(workload, name, measuring[name])
                if figures is None:
                    del measuring[name], samples[name]
                elif index > 0:
                    _add(samples, name, figures)
        return samples


async def _apart(workload: Load, peers: Sequence[str], count: int) -> Samples:
    samples: Samples = {}
    for _ in range(count):
        for name in peers:
            try:
                async with _ready(workload, name) as window:
                    _add(samples, name, await window())
            except Exception as error:
                _complain(workload, name, error)
    return samples


@asynccontextmanager
async def _ready(workload: Load, name: str) -> AsyncIterator[Window]:
    with Server(PEERS[name], *workload.arguments, environment=workload.environment) as server:
        async with workload.ready(server) as window:
            yield window


async def _once(workload: Load, name: str, window: Window) -> dict[str, float] | None:
    try:
        return await window()
    except Exception as error:
        _complain(workload, name, error)
        return None


def _add(samples: Samples, name: str, figures: dict[str, float]) -> None:
    for key, value in figures.items():
        samples.setdefault(name, {}).setdefault(key, []).append(value)


def _complain(workload: Workload, name: str, error: Exception) -> None:
    print(f"bench: {workload.name}: {name}: {error!r}", file=sys.stderr)
