"""Runs workloads and prints what they cost. See README.md for the method."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time

from benchmarks import budget, curves, entered, environments, profile, report, results, summary, workloads
from benchmarks.frames import PEERS
from benchmarks.process import LOAD_CORE, pin
from benchmarks.run import run
from benchmarks.workload import NPM, Samples, Workload


def all_workloads() -> dict[str, Workload]:
    modules = sorted(module.name for module in pkgutil.iter_modules(workloads.__path__))
    loaded = [importlib.import_module(f"benchmarks.workloads.{name}") for name in modules]
    return {workload.name: workload for module in loaded for workload in module.WORKLOADS}


def arguments(known: dict[str, Workload]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"one or more of: {', '.join(known)}")
    parser.add_argument("--peers", default="", help="only these columns, separated by commas")
    parser.add_argument("--windows", type=int, help="how often each column is measured")
    parser.add_argument("--check", action="store_true", help="fail if a ratio is worse than budget.json allows")
    parser.add_argument("--update-budget", action="store_true", help="write the ratios reached to budget.json")
    parser.add_argument("--report", action="store_true", help="measure nothing; summarise the results that were saved")
    parser.add_argument("--write-docs", action="store_true", help="write the summary into docs/performance.md")
    parser.add_argument(
        "--curves", nargs="*", metavar="CURVE", help="measure growth curves and draw them for the docs: all, or some"
    )
    parser.add_argument("--profile", action="store_true", help="run one workload under py-spy, print where time goes")
    chosen = parser.parse_args()
    unknown = set(chosen.workloads) - set(known)
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    chosen.peers = [name.strip() for name in chosen.peers.split(",") if name.strip()]
    if strange := set(chosen.peers) - {*PEERS, NPM}:
        parser.error(f"no column {', '.join(sorted(strange))}; there are: {', '.join((*PEERS, NPM))}")
    return chosen


def main() -> int:
    known = all_workloads()
    chosen = arguments(known)
    selected = [known[name] for name in chosen.workloads or (n for n, one in known.items() if not one.only_named)]
    pin(LOAD_CORE)
    if chosen.curves is not None:
        return curves.main(chosen.curves)
    if chosen.profile:
        return profile.main(selected, chosen.peers or ["ours v2"])
    if chosen.report:
        return conclude(known, selected, results.load(selected), chosen)
    return conclude(known, selected, {workload.name: measure(workload, chosen) for workload in selected}, chosen)


def measure(workload: Workload, chosen: argparse.Namespace) -> Samples:
    begun = time.monotonic()
    samples = run(workload, chosen.peers, chosen.windows)
    if not chosen.peers:
        results.save(workload, samples)
    print(report.table(workload, samples), flush=True)
    print(f"bench: {workload.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return samples


def conclude(
    known: dict[str, Workload], selected: list[Workload], measured: dict[str, Samples], chosen: argparse.Namespace
) -> int:
    """The summary and what becomes of it; the exit code."""
    if not chosen.peers and not chosen.workloads:
        print(f"\n{summary.table(known, measured)}")
    if chosen.write_docs:
        summary.write_docs(known, results.load(known.values()))
    if chosen.update_budget:
        budget.update(selected, measured)
    if not chosen.check:
        return 0
    complaints = budget.check(selected, measured, lambda workload: measure(workload, chosen))
    complaints += entered.complaints(str(environments.python("ours")))
    for complaint in complaints:
        print(f"worse than the budget: {complaint}")
    if not complaints:
        print("nothing is worse than the budget allows")
    return 1 if complaints else 0


if __name__ == "__main__":
    begun = time.monotonic()
    code = main()
    print(f"\n{time.monotonic() - begun:.0f} s", file=sys.stderr)
    sys.exit(code)
