"""The table, and the budget that guards it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.workload import Metric, Workload

BUDGET = Path(__file__).parent / "budget.json"
TOLERANCE = 0.25
"""How much worse than its budget a ratio may be: two runs on a shared machine differ by up to this."""

Results = Mapping[str, Mapping[str, float]]
"""Peer to metric to figure."""


def counterpart(peer: str, against: str) -> str:
    """The column that `peer` is compared with: "raw" is the raw engine in the same generation."""
    if against != "raw":
        return against
    return "raw g1" if "g1" in peer or peer == "1.12.4" else "raw g2"


def ratio(results: Results, peer: str, against: str, metric: Metric) -> float | None:
    """The figure of `peer` over that of its counterpart."""
    other = results.get(counterpart(peer, against), {}).get(metric.key)
    own = results.get(peer, {}).get(metric.key)
    return own / other if own is not None and other else None


def is_ours(peer: str) -> bool:
    return peer.startswith(("ours", "released API"))


def verdict(results: Results, peer: str, metric: Metric) -> str:
    """What is asked of ours and whether it is reached; "" for others."""
    if not is_ours(peer) or peer.endswith("aiohttp"):
        return ""
    words = []
    for against, bound in metric.targets:
        reached = ratio(results, peer, against, metric) if against else results[peer].get(metric.key)
        if reached is not None:
            met = reached >= bound if metric.higher_is_better else reached <= bound
            sign = ">=" if metric.higher_is_better else "<="
            words.append(f"{'ok ' if met else 'NO '}{sign} {bound:g}{' x ' + against if against else ''}")
    return ", ".join(words)


def table(workload: Workload, results: Results) -> str:
    """The rows of one workload."""
    lines = [f"\n{workload.title}"]
    for metric in workload.metrics:
        lines.append(f"  {metric.unit:<36}{'':>12}{'x raw':>9}{'x 2.6.0':>9}{'x 1.12.4':>9}")
        for peer in results:
            if metric.key not in results[peer]:
                continue
            ratios = [ratio(results, peer, against, metric) for against in ("raw", "2.6.0", "1.12.4")]
            cells = "".join(f"{'' if r is None else f'{r:.2f}':>9}" for r in ratios)
            lines.append(f"    {peer:<34}{results[peer][metric.key]:>12,.2f}{cells}   {verdict(results, peer, metric)}")
    return "\n".join(lines)


def budget_entries(workload: Workload, results: Results) -> dict[str, float]:
    """Every ratio of ours that a target speaks of."""
    entries = {}
    for metric in workload.metrics:
        for peer in filter(is_ours, results):
            for against, _ in metric.targets:
                value = ratio(results, peer, against, metric) if against else results[peer].get(metric.key)
                if value is not None:
                    entries[f"{workload.name} {metric.key}: {peer} / {against or '1'}"] = round(value, 3)
    return entries


def read_budget() -> dict[str, float]:
    return dict(json.loads(BUDGET.read_text())) if BUDGET.exists() else {}


def write_budget(entries: Mapping[str, float]) -> None:
    BUDGET.write_text(json.dumps({**read_budget(), **entries}, indent=1, sort_keys=True) + "\n")


def worse(workloads: Iterable[Workload], entries: Mapping[str, float]) -> list[str]:
    """What got worse than its budget by more than the tolerance."""
    higher = {(w.name, m.key) for w in workloads for m in w.metrics if m.higher_is_better}
    budget, complaints = read_budget(), []
    for key, value in entries.items():
        if key not in budget:
            continue
        name, metric = key.split(":")[0].split()
        bound = budget[key] / (1 + TOLERANCE) if (name, metric) in higher else budget[key] * (1 + TOLERANCE)
        if (value < bound) if (name, metric) in higher else (value > bound):
            complaints.append(f"{key}: {value:.3f}, budget {budget[key]:.3f}")
    return complaints
