"""The ratios that were reached, and which of them got worse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.workload import RELEASED, Kind, Metric, Samples, Workload

BUDGET = Path(__file__).parent / "budget.json"
TOLERANCE: dict[Kind, float] = {"cost": 0.25, "throughput": 0.6, "wall": 1.0, "memory": 0.2, "exact": 0.02}
"""How much worse than its budget a figure may be: what runs of the same code on a busy machine differ by. Throughput is
by the clock, which other work moves most; what it costs is watched more closely."""
SLACK: dict[Kind, float] = {"memory": 0.1}
"""And by how much in any case: a small part of a message is a matter of the allocator."""
TRIES = 2
"""How often something that looks worse is measured again before it is said to be."""


class Entry(NamedTuple):
    """A figure that is watched.

    Attributes:
        key: names it in the budget.
        metric: what it is.
        value: what was measured.
        target: what is asked, where it is a ratio to a released wslink and the same figure is compared with the raw
            engine, too; None for others.
    """

    key: str
    metric: Metric
    value: float
    target: float | None = None


def entries(workload: Workload, samples: Samples) -> Iterator[Entry]:
    """Every figure of ours that a target speaks of, or that is watched."""
    for metric in workload.metrics:
        for peer in filter(report.is_ours, samples):
            for against in (*(against for against, _ in metric.targets), *metric.watched):
                value = report.reached(samples, peer, against, metric)
                if value is not None:
                    key = f"{workload.name} {metric.key}: {peer} / {against or '1'}"
                    yield Entry(key, metric, value, _target(metric, against))


def _target(metric: Metric, against: str) -> float | None:
    """What is asked of a ratio that tells more of the machine than of us: the released server spends its time in other
    parts of Python and of the system than ours, and which of them a machine is good at moved this ratio from 0.18 to
    0.30 between two. The ratio to the raw engine, which does the same work in the same libraries, moves less, and
    finds what became slower; of this one it is enough that it meets its target."""
    compared = {**dict(metric.targets), **dict.fromkeys(metric.watched, 0.0)}
    return dict(metric.targets).get(against) if against in RELEASED and "raw" in compared else None


def read() -> dict[str, float]:
    return dict(json.loads(BUDGET.read_text())) if BUDGET.exists() else {}


def update(workloads: Iterable[Workload], results: Mapping[str, Samples]) -> None:
    """Write what was reached; workloads that were not measured keep their entries."""
    new = {e.key: round(e.value, 3) for w in workloads for e in entries(w, results.get(w.name, {}))}
    measured = {f"{workload.name} " for workload in workloads if workload.name in results}
    kept = {key: value for key, value in read().items() if not key.startswith(tuple(measured))}
    BUDGET.write_text(json.dumps({**kept, **new}, indent=1, sort_keys=True) + "\n")


def worse(workload: Workload, samples: Samples) -> dict[str, str]:
    """What is worse than its budget by more than its kind's tolerance: its key, and a sentence."""
    budget, found = read(), {}
    for key, metric, value, target in entries(workload, samples):
        if key not in budget:
            continue
        allowed = bound(metric, budget[key])
        if target is not None:
            if not report.meets(budget[key], target, metric):
                continue  # what is missed anyway is left to the ratio to the raw engine
            allowed = min(allowed, target) if metric.higher_is_better else max(allowed, target)
        if not report.meets(value, allowed, metric):
            found[key] = f"{key}: {value:.3f}; the budget is {budget[key]:.3f}, and {allowed:.3f} is allowed"
    return found


def bound(metric: Metric, value: float) -> float:
    factor = 1 + TOLERANCE[metric.kind]
    slack = metric.slack or SLACK.get(metric.kind, 0)
    return value / factor if metric.higher_is_better else max(value * factor, value + slack)


def check(
    workloads: Iterable[Workload], results: Mapping[str, Samples], again: Callable[[Workload], Samples]
) -> list[str]:
    """What is worse, each time that it is measured: what other work on the machine spoils once is no change of ours."""
    complaints = []
    for workload in workloads:
        found = worse(workload, results.get(workload.name, {}))
        for _ in range(TRIES):
            if found:
                later = worse(workload, again(workload))
                found = {key: later[key] for key in found if key in later}
        complaints += found.values()
    return complaints
