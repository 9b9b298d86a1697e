"""What a workload declares: which columns it runs, what it measures and what is asked of us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.process import Server

OURS = ("ours v1", "ours v2", "compat v1", "compat v2")
RAW = ("raw v1", "raw v2")
RELEASED = ("1.12.4", "2.6.0")
NPM = "npm 2.5.0"

Window = Callable[[], Awaitable[dict[str, float]]]
"""Measures once: each figure by the key of its metric."""
Samples = dict[str, dict[str, list[float]]]
"""Column to metric to the figures of all windows, in the order in which they were taken."""
Kind = Literal["cost", "throughput", "wall", "memory", "exact"]


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        key: its name in results.
        unit: what it counts.
        kind: how windows are summed up and how far a later run may stray (budget.py): processor time, throughput, time
            by the clock, memory, or something that is the same in every run.
        higher_is_better: otherwise it is a cost.
        targets: what is asked of ours: the column to compare with ("raw" is that of the same version, "" the figure
            itself) and the ratio or figure that must not be exceeded (or undercut, where higher is better).
        watched: columns that the budget compares with, though nothing is asked.
        slack: what a later run may differ by in any case, in the metric's unit: a difference of two figures may be
            about 0, of which no part is a tolerance.
    """

    key: str
    unit: str
    kind: Kind = "cost"
    higher_is_better: bool = False
    targets: tuple[tuple[str, float], ...] = ()
    watched: tuple[str, ...] = ()
    slack: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the two sorts of workload share.

    Attributes:
        name: its name on the command line.
        title: its name in the table.
        peers: the columns, by name.
        metrics: the figures that it yields.
        windows: how often each column is measured; columns take turns.
        only_named: whether it takes too long to be measured where it is not named.
    """

    name: str
    title: str
    peers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    windows: int = 11
    only_named: bool = False

    def metric(self, key: str) -> Metric:
        return next(metric for metric in self.metrics if metric.key == key)


@dataclass(frozen=True, kw_only=True)
class Load(Workload):
    """Load on servers.

    Attributes:
        ready: connects to a server that is listening; yields what measures once.
        arguments: given to the server's script.
        environment: added to the server's environment.
        restart: whether each window meets a new process, for what only those have; otherwise all servers run side by
            side, with their clients connected, and a first window of each is thrown away.
    """

    ready: Callable[[Server], AbstractAsyncContextManager[Window]]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False


@dataclass(frozen=True, kw_only=True)
class Script(Workload):
    """A measurement without a server of ours: `measure` is given the columns and the number of windows."""

    measure: Callable[[tuple[str, ...], int], Samples]
