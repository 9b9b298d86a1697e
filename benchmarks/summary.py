"""The one table: a row for each thing that is asked, with what was reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmarks import report
from benchmarks.environments import ROOT
from benchmarks.workload import OURS, Metric, Samples, Workload

DOCS = ROOT / "docs" / "performance.md"
MARKS = "<!-- scripts/bench --write-docs: {}begin -->", "<!-- scripts/bench --write-docs: {}end -->"
HEAD = ("work", "target", "App v1", "App v2", "compat v1", "compat v2", "verdict")
LINES_HEAD = ("work", "target", "App, `flow`", "App, no `flow`", "compat", "2.6.0", "verdict")
LINES_COLUMNS = ("ours flow", "ours v2", "compat v2", "2.6.0")

ROWS = (
    "call-1x50", "call-50x2", "publish-1k-100", "encodings", "publish-1m-10", "publish-8m-1", "upload-8m-1",
    "array-64m", "array-page", "deflate-dense", "deflate-text", "stalled-1", "stalled-50", "idle", "hello", "start",
    "decode-node", "decode-chromium", "bundle",
)  # fmt: skip
"""Workloads in the order of the table; those that are missing here come last."""
LINES_ROWS = (
    "flow-20m", "demand-20m", "quality-20m", "flow-5m", "quality-5m", "flow-bulk", "flow-bulk-1g", "flow-upload",
    "flow-upload-1g", "flow-npm", "beside-slow", "demo-20m",
)  # fmt: skip
"""Workloads on slow lines, which have a table of their own."""


class Row(NamedTuple):
    work: str
    target: str
    cells: tuple[str, ...]
    verdict: str


def rows(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> Iterator[Row]:
    """A row for every target; "not measured" where there are no figures."""
    for name in sorted(known, key=lambda name: ROWS.index(name) if name in ROWS else len(ROWS)):
        if name in LINES_ROWS:
            continue
        for metric in known[name].metrics:
            for against, bound in metric.targets:
                yield _row(known[name], metric, against, bound, results.get(name, {}))


def _row(workload: Workload, metric: Metric, against: str, bound: float, samples: Samples) -> Row:
    compared = f", x {against}" if against else ""
    target = f"{'>=' if metric.higher_is_better else '<='} {bound:g}"
    values = [report.reached(samples, peer, against, metric) for peer in OURS]
    cells = tuple("" if value is None else f"{value:,.{_digits(value)}f}" for value in values)
    return Row(f"{workload.title}: {metric.unit}{compared}", target, cells, _verdict(workload, metric, bound, values))


def line_rows(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> Iterator[Row]:
    """A row for every figure of the workloads on slow lines."""
    for name in LINES_ROWS:
        samples = results.get(name, {})
        for metric in known[name].metrics:
            yield _line_row(known[name], metric, samples)


def _line_row(workload: Workload, metric: Metric, samples: Samples) -> Row:
    """The verdict is of the first column that has a figure: what a target speaks of."""
    columns = [LINES_COLUMNS[0] if peer == "ours demo" else peer for peer in workload.peers]
    by_column = dict(zip(columns, workload.peers, strict=True))
    values = [report.figure(samples, by_column[name], metric) if name in by_column else None for name in LINES_COLUMNS]
    cells = tuple("" if value is None else f"{value:,.{_digits(value)}f}" for value in values)
    bound = metric.targets[0][1] if metric.targets else None
    target = "" if bound is None else f"{'>=' if metric.higher_is_better else '<='} {bound:g}"
    first = next((value for value in values if value is not None), None)
    verdict = "not measured" if first is None else ""
    if first is not None and bound is not None:
        verdict = "met" if report.meets(first, bound, metric) else "missed"
    return Row(f"{workload.title}: {metric.unit}", target, cells, verdict)


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
    main = [Row(HEAD[0], HEAD[1], HEAD[2:6], HEAD[6]), *rows(known, results)]
    on_lines = [Row(LINES_HEAD[0], LINES_HEAD[1], LINES_HEAD[2:6], LINES_HEAD[6]), *line_rows(known, results)]
    lines = [*main, *on_lines]
    width = max(len(row.work) for row in lines)
    return "\n".join(
        f"{row.work:<{width}} {row.target:>8} " + "".join(f"{cell:>16}" for cell in row.cells) + f"   {row.verdict}"
        for row in lines
    )


def markdown(head: tuple[str, ...], found: Iterable[Row]) -> str:
    """A table for docs/performance.md."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join((row.work, row.target, *row.cells, row.verdict))} |" for row in found]
    return "\n".join(lines)


def write_docs(known: Mapping[str, Workload], results: Mapping[str, Samples]) -> None:
    """Replace what stands between the marks of docs/performance.md. What was not measured stays as it was."""
    tables = {
        "": markdown(HEAD, rows(known, results)),
        "lines: ": markdown(LINES_HEAD, line_rows(known, results)),
    }
    for name, found in tables.items():
        begin, end = (mark.format(name) for mark in MARKS)
        before, rest = DOCS.read_text().split(begin)
        old, after = rest.split(end)
        kept: dict[str, list[str]] = {}
        for line in old.splitlines():
            kept.setdefault(_work(line), []).append(line)
        before_now = [(line, kept.get(_work(line), [])) for line in found.splitlines()]
        pairs = [(were.pop(0) if were else line, line) for line, were in before_now]
        new = "\n".join(was if "| not measured |" in line else line for was, line in pairs)
        DOCS.write_text(f"{before}{begin}\n{new}\n{end}{after}")


def _work(line: str) -> str:
    """What a row of a table is about."""
    return line.removeprefix("| ").partition(" |")[0]
