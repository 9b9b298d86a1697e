"""Figures on disk: results/WORKLOAD.json, which Git ignores."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from datetime import datetime, timezone

from benchmarks.environments import ROOT
from benchmarks.workload import Samples, Workload

RESULTS = ROOT / "benchmarks" / "results"


def save(workload: Workload, samples: Samples) -> None:
    """Keep the figures of all windows, so that they can be summed up anew."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = {"workload": workload.name, "when": when, "on": machine, "samples": samples}
    (RESULTS / f"{workload.name}.json").write_text(json.dumps(record, indent=1) + "\n")


def load(workloads: Iterable[Workload]) -> dict[str, Samples]:
    """The saved figures of those that have been measured."""
    paths = {workload.name: RESULTS / f"{workload.name}.json" for workload in workloads}
    return {name: json.loads(path.read_text())["samples"] for name, path in paths.items() if path.exists()}
