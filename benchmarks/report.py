"""What windows amount to, and the table of one workload."""

from __future__ import annotations

import statistics

from benchmarks.workload import Metric, Samples, Workload


def counterpart(peer: str, against: str) -> str:
    """The column that `peer` is compared with: "raw" is the raw engine in the same version."""
    if against != "raw":
        return against
    return "raw v1" if "v1" in peer or peer == "1.12.4" else "raw v2"


def figure(samples: Samples, peer: str, metric: Metric) -> float | None:
    """What all windows of a column amount to: the median; of memory the most, of gaps in a stream the least."""
    values = samples.get(peer, {}).get(metric.key)
    if not values:
        return None
    pick = {"memory": max, "wall": min}.get(metric.kind, statistics.median)
    return float(pick(values))


def ratio(samples: Samples, peer: str, against: str, metric: Metric) -> float | None:
    """The figure of `peer` over that of its counterpart: the median of the ratios of windows that came together."""
    own = samples.get(peer, {}).get(metric.key, [])
    other = samples.get(counterpart(peer, against), {}).get(metric.key, [])
    pairs = [mine / theirs for mine, theirs in zip(own, other, strict=False) if theirs]
    return statistics.median(pairs) if pairs else None


def reached(samples: Samples, peer: str, against: str, metric: Metric) -> float | None:
    """What a target is compared with: a ratio, or where it names no column the figure itself."""
    return ratio(samples, peer, against, metric) if against else figure(samples, peer, metric)


def meets(value: float, bound: float, metric: Metric) -> bool:
    return value >= bound if metric.higher_is_better else value <= bound


def is_ours(peer: str) -> bool:
    return peer.startswith(("ours", "compat"))


def verdict(samples: Samples, peer: str, metric: Metric) -> str:
    """What is asked of ours and whether it is reached; "" for others."""
    if not is_ours(peer):
        return ""
    words = []
    for against, bound in metric.targets:
        value = reached(samples, peer, against, metric)
        if value is not None:
            word = "ok" if meets(value, bound, metric) else "NO"
            sign = ">=" if metric.higher_is_better else "<="
            words.append(f"{word} {sign} {bound:g}{' x ' + against if against else ''}")
    return ", ".join(words)


def table(workload: Workload, samples: Samples) -> str:
    """The rows of one workload, with ratios against every column that is not ours."""
    others = [peer for peer in samples if not is_ours(peer) and not peer.startswith("raw")]
    columns = ["raw", *others] if any(peer.startswith("raw") for peer in samples) else others
    lines = [f"\n{workload.title}"]
    for metric in workload.metrics:
        lines.append(f"  {metric.unit:<40}{'':>10}" + "".join(f"{'x ' + column:>13}" for column in columns))
        for peer in samples:
            value = figure(samples, peer, metric)
            if value is None:
                continue
            ratios = [ratio(samples, peer, column, metric) for column in columns]
            cells = "".join(f"{'' if r is None else f'{r:.2f}':>13}" for r in ratios)
            lines.append(f"    {peer:<34}{value:>14,.2f}{cells}   {verdict(samples, peer, metric)}".rstrip())
    return "\n".join(lines)
