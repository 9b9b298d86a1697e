"""Runs workloads and prints the table. See README.md for the method."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import pkgutil
import platform
import sys
import time
from datetime import datetime, timezone

from benchmarks import environments, report, workloads
from benchmarks.frames import PEERS
from benchmarks.process import LOAD_CORE, Server, pin
from benchmarks.workload import Workload

RESULTS = environments.ROOT / "benchmarks" / "results"


def all_workloads() -> dict[str, Workload]:
    modules = sorted(module.name for module in pkgutil.iter_modules(workloads.__path__))
    loaded = [importlib.import_module(f"benchmarks.workloads.{name}") for name in modules]
    return {workload.name: workload for module in loaded for workload in module.WORKLOADS}


def run(workload: Workload, peers: list[str], rounds: int | None) -> dict[str, dict[str, float]]:
    """Each figure's best over all rounds; a round runs every peer, so that all meet the same weather."""
    higher = {metric.key: metric.higher_is_better for metric in workload.metrics}
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds or workload.rounds):
        for name in [peer for peer in workload.peers if not peers or peer in peers]:
            figures = once(workload, name)
            kept = best.setdefault(name, figures)
            for key, value in figures.items():
                kept[key] = max(kept[key], value) if higher[key] else min(kept[key], value)
    return best


def once(workload: Workload, name: str) -> dict[str, float]:
    try:
        with Server(PEERS[name], *workload.arguments, environment=workload.environment) as server:
            return asyncio.run(workload.measure(server))
    except Exception as error:
        print(f"bench: {workload.name}: {name}: {error!r}", file=sys.stderr)
        return {}


def main() -> int:
    known = all_workloads()
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"one or more of: {', '.join(known)}")
    parser.add_argument("--peers", default="", help="only these, separated by commas")
    parser.add_argument("--rounds", type=int, help="repetitions")
    parser.add_argument("--check", action="store_true", help="fail if a ratio is worse than budget.json allows")
    parser.add_argument("--update-budget", action="store_true", help="write the ratios reached to budget.json")
    chosen = parser.parse_args()
    unknown = set(chosen.workloads) - set(known)
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    pin(LOAD_CORE)
    return measure([known[name] for name in chosen.workloads or known], chosen)


def measure(selected: list[Workload], chosen: argparse.Namespace) -> int:
    peers = [name for name in chosen.peers.split(",") if name]
    entries: dict[str, float] = {}
    for workload in selected:
        results = run(workload, peers, chosen.rounds)
        save(workload, results)
        print(report.table(workload, results), flush=True)
        entries.update(report.budget_entries(workload, results))
    if chosen.update_budget:
        report.write_budget(entries)
    complaints = report.worse(selected, entries) if chosen.check else []
    for complaint in complaints:
        print(f"worse than the budget: {complaint}")
    return 1 if complaints else 0


def save(workload: Workload, results: dict[str, dict[str, float]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = {"workload": workload.name, "when": when, "on": machine, "results": results}
    (RESULTS / f"{workload.name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    begun = time.monotonic()
    code = main()
    print(f"\n{time.monotonic() - begun:.0f} s", file=sys.stderr)
    sys.exit(code)
