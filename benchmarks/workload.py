"""What a workload declares: which peers it runs, what it measures and what is asked of us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.process import Server

OURS = ("ours g1", "ours g2", "released API g1", "released API g2")
FALLBACK = ("ours g1 aiohttp", "ours g2 aiohttp")
RAW = ("raw g1", "raw g2")
RELEASED = ("1.12.4", "2.6.0")


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        key: its name in results.
        unit: what it counts.
        higher_is_better: throughput; otherwise it is a cost.
        targets: what is asked of ours: the peer to compare with ("raw" is that of the same generation, "" the figure
            itself) and the ratio or figure that must not be exceeded (or undercut, where higher is better).
    """

    key: str
    unit: str
    higher_is_better: bool = False
    targets: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Workload:
    """Attributes:
    name: its name on the command line.
    title: its name in the table.
    peers: the columns, by name in frames.PEERS.
    metrics: the figures that `measure` returns.
    measure: runs the load against a server that is listening.
    arguments: given to the server's script.
    environment: added to the server's environment.
    rounds: repetitions; the best of each figure counts, since other work on the machine can only make it worse.
    """

    name: str
    title: str
    peers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    measure: Callable[[Server], Awaitable[dict[str, float]]]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    rounds: int = 3
