"""The one table: a row for each thing that is asked, with what was reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks import report
from benchmarks.environments import ROOT
from benchmarks.workload import OURS, Metric, Samples, Workload

DOCS = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- scripts/bench --write-docs: begin -->", "<!-- scripts/bench --write-docs: end -->"
HEAD = ("work", "target", "App v1", "App v2", "compat v1", "compat v2", "verdict")

ROWS = (
    "call-1x50", "call-50x2", "publish-1k-100", "encodings", "publish-1m-10", "publish-8m-1", "upload-8m-1",
    "array-64m", "array-page", "deflate-dense", "deflate-text", "stalled-1", "stalled-50", "idle", "hello", "start",
    "flow-20m", "flow-5m", "flow-bulk", "flow-upload", "decode-node", "decode-chromium", "bundle",
)  # fmt: skip
"""Workloads in the order of the table; those that are missing here come last."""


class Row(NamedTuple):
    work: str
    target: str
    cells: tuple[str, ...]
    verdict: str


def rows(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> Iterator[Row]:
    """A row for every target; "not measured" where there are no figures."""
    for name in sorted(known, key=lambda name: ROWS.index(name) if name in ROWS else len(ROWS)):
        for metric in known[name].metrics:
            for against, bound in metric.targets:
                yield _row(known[name], metric, against, bound, results.get(name, {}))


def _row(workload: Workload, metric: Metric, against: str, bound: float, samples: Samples) -> Row:
    compared = f", x {against}" if against else ""
    target = f"{'>=' if metric.higher_is_better else '<='} {bound:g}"
    values = [report.reached(samples, peer, against, metric) for peer in OURS]
    cells = tuple("" if value is None else f"{value:,.{_digits(value)}f}" for value in values)
    return Row(f"{workload.title}: {metric.unit}{compared}", target, cells, _verdict(workload, metric, bound, values))


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 20 else 2


def _verdict(workload: Workload, metric: Metric, bound: float, values: list[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "not measured"
    met, all_ = sum(report.meets(value, bound, metric) for value in there), len(set(OURS) & set(workload.peers))
    words = "met" if met == all_ else "missed" if met == 0 else f"met by {met} of {all_}"
    return words if len(there) == all_ else f"{words}, {all_ - len(there)} not measured"


def table(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> str:
    """The table for a terminal."""
    lines = [Row(HEAD[0], HEAD[1], HEAD[2:6], HEAD[6]), *rows(known, results)]
    width = max(len(row.work) for row in lines)
    return "\n".join(
        f"{row.work:<{width}} {row.target:>8} " + "".join(f"{cell:>16}" for cell in row.cells) + f"   {row.verdict}"
        for row in lines
    )


def markdown(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> str:
    """The table for docs/performance.md."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    lines += [f"| {' | '.join((row.work, row.target, *row.cells, row.verdict))} |" for row in rows(known, results)]
    return "\n".join(lines)


def write_docs(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> None:
    """Replace what stands between the two marks of docs/performance.md."""
    before, rest = DOCS.read_text().split(BEGIN)
    _, after = rest.split(END)
    DOCS.write_text(f"{before}{BEGIN}\n{markdown(known, results)}\n{END}{after}")
