"""What scripts/mutation.py gives pytest in mutmut's runs: which tests run, in which order and for how long, and which
test noticed a mutant."""

from __future__ import annotations

import glob
import json
import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

PROCESS = "what it asserts happens in a process of its own, which mutants do not reach"
NOT_INSTRUMENTED = {
    "*\\\\*": "pytest does not find a name with two backslashes, as mutmut gives it",
    "* at 0x*": "has another name in each run, as it shows an object by its address",
    "tests/session/test_values.py::test_many_values_in_little_text_are_refused": "measures seconds of a million calls",
    "tests/contract/test_describe.py::test_the_command_prints_the_same_every_time": PROCESS,
    "tests/contract/test_describe.py::test_a_url_gives_the_same": PROCESS,
    "tests/contract/test_array_hints.py::test_without_numpy_arrays_arrive_as_raw_arrays": PROCESS,
    "tests/contract/test_table.py::test_a_program_that_serves_loads_no_tools": PROCESS,
    "tests/observe/test_inspector.py::test_there_is_none_unless_it_is_asked_for": PROCESS,
    "tests/observe/test_traces.py::test_where_it_is_off_nothing_of_it_is_loaded": PROCESS,
    "tests/client/*::test_a_program_*": PROCESS,
    "tests/client/*::test_the_end_is_noticed_while_a_subscriber_is_behind*": PROCESS,
    "tests/session/test_resume_inside.py::test_it_arrives_at_a_page_and_from_one*": PROCESS,
    "tests/session/test_congestion.py::test_chunks_follow_the_rate": "measures seconds of a simulated line",
    "tests/hub/test_filters_at_scale.py::*": "compares times, which instrumented calls change",
    "tests/client/test_reconnect.py::test_a_line_that_has_fallen_silent_is_given_up": "waits for 6 s, by the clock",
}
"""Tests that cannot run while every function of the core goes through mutmut's, and why: patterns of node ids."""

DEPTH = 10_000
"""Of Python's stack. Each call of an instrumented function takes three frames, so values nested as deep as the protocol
allows pass Python's own bound of 1,000."""

BUDGET = float(os.environ.get("MUTATION_BUDGET", "20"))
"""Seconds of tests per mutant, fastest first: nearly every test enters some functions, and all of them take minutes."""

DURATIONS = Path("mutmut-stats.json")
NOTICED = Path("noticed.jsonl")
FAILED = Path("failed.txt")
"""In the working directory, that of the mutants. FAILED has the tests that failed without a mutant."""

UNBOUNDED = ("stats", "list_all_tests")
"""mutmut's runs that take every test."""


def unchanged() -> bool:
    """This run is of the code as it is: mutmut's first, which sees what each test enters, or the one after that."""
    return os.environ.get("MUTANT_UNDER_TEST") in ("", "stats")


def pytest_configure(config: pytest.Config) -> None:
    sys.setrecursionlimit(DEPTH)
    if unchanged():
        config.option.maxfail = 0
    # A mutant's process is forked from one that has imported the tests: what they made then, it makes again.
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """An application describes itself once, for the first test that asks; here, for each."""
    if (offer := sys.modules.get("tests.contract.offer")) is not None:
        offer.app._described = ((), {})


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first, for the first that fails ends the run, and each for a few times as long as it took."""
    failed = FAILED.read_text().splitlines() if FAILED.exists() else []
    patterns = [*NOT_INSTRUMENTED, *map(glob.escape, failed)]
    left_out = [item for item in items if any(fnmatchcase(item.nodeid, pattern) for pattern in patterns)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    if not DURATIONS.exists():
        return
    durations: dict[str, float] = json.loads(DURATIONS.read_text())["duration_by_test"]
    items.sort(key=lambda item: durations.get(item.nodeid, 0))
    whole = 0.0
    chosen: list[pytest.Item] = []
    for item in items:
        item.add_marker(pytest.mark.timeout(15 + 5 * durations.get(item.nodeid, 0)))
        whole += durations.get(item.nodeid, 0)
        if whole <= BUDGET or not chosen:
            chosen.append(item)
    if os.environ.get("MUTANT_UNDER_TEST") not in UNBOUNDED:
        items[:] = chosen


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    if report.failed and unchanged():
        with FAILED.open("a") as file:
            file.write(report.nodeid + "\n")
    if report.failed and "__mutmut_" in mutant:
        with NOTICED.open("a") as file:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message if crash else str(report.longrepr)[-200:]
            file.write(json.dumps([mutant, report.nodeid, said.split("\n")[0][:200]]) + "\n")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tests that fail without a mutant do not end the run: they are left out from then on and named in the report."""
    if unchanged() and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
        session.exitstatus = pytest.ExitCode.OK
