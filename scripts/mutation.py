"""Runs mutmut over the Python core and Stryker over the TypeScript core, in copies of the tree; see scripts/mutate."""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "mutation"
LAYERS = ("wire", "rpc", "session", "hub")
TESTS = (
    *("tests/wire", "tests/rpc", "tests/session", "tests/hub", "tests/client", "tests/observe"),
    *(f"tests/contract/test_{name}.py" for name in ("describe", "table", "array_hints", "debug", "check")),
    *("tests/cluster/test_moves.py", "tests/cluster/test_cluster.py"),
    *(f"tests/server/test_application_{name}.py" for name in ("calls", "thread", "thread_limits")),
)
"""Where the core is asserted; its services that stand in other directories have their tests there."""
MUTMUT = "mutmut>=3.8,<4"
STRYKER = ("@stryker-mutator/core@9", "@stryker-mutator/vitest-runner@9")  # 10 wants Node 22
CONFIGURATION = """
[tool.mutmut]
source_paths = {sources}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-q", "-p", "mutation_plugin", "--ignore=tests/session/test_delivery.py"]
also_copy = {others}
use_git_change_detection = false
# A mutant may take 4 times as long as its tests did, and 80 s: some tests wait until something is given up.
timeout_multiplier = 4
timeout_constant = 20
"""
KILLED, SURVIVED, UNTESTED, TIMEOUT = "killed", "survived", "no tests", "timeout"
NOT_RUN = "not run"
OUTCOMES = {0: SURVIVED, 2: "", 5: UNTESTED, 33: UNTESTED, **dict.fromkeys((24, -24, 36, 152, 255), TIMEOUT)}
"""mutmut's exit codes. 2 is a run that was interrupted; what ends a test's process in another way was noticed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("language", choices=("python", "js", "show"))
    parser.add_argument(
        "patterns", nargs="*", help="names of mutants or files, with wildcards; all where none is given"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many mutants at random (Python)")
    parser.add_argument("--share", type=float, default=1, help="of the mutants, at random (TypeScript; default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument(
        "--besides", nargs="*", default=[], metavar="SEED:SHARE", help="none of those samples had (TypeScript)"
    )
    parser.add_argument("--quick", action="store_true", help="no test that needs a server: a lower bound (TypeScript)")
    parser.add_argument("--unseen", action="store_true", help="choose among those that have not run yet (Python)")
    parser.add_argument("--survivors", action="store_true", help="choose among those that survived (Python)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    if options.language == "show":
        return subprocess.call([mutmut(), "show", *options.patterns], cwd=WORK / "python")
    if options.language == "js":
        sample = {"seed": options.seed, "share": options.share, "besides": options.besides}
        return mutate_js(options.patterns, sample, options.jobs, options.quick)
    outcomes = ("",) if options.unseen else (SURVIVED, UNTESTED) if options.survivors else ()
    return mutate_python(options.patterns, outcomes, options.sample, options.seed, options.jobs)


# Python


def mutate_python(patterns: list[str], among: tuple[str, ...], sample: int, seed: int, jobs: int) -> int:
    """Make the mutants, choose some, run each against the tests that enter its function, and print the score.

    What earlier runs found stays known as long as a mutant's function is the same.
    """
    tree = WORK / "python"
    configure(tree)
    command = [mutmut(), "run", "--max-children", str(jobs)]
    # Mutants have names once they have been made, and mutmut makes them as it runs: one name that none has.
    with (WORK / "python.log").open("w") as log:
        subprocess.call([*command, "nothing"], cwd=tree, stdout=log, stderr=log)
    known = outcomes(tree)
    names = sorted(name for name in known if wanted(name, patterns) and (not among or known[name] in among))
    if not names:
        sys.exit("no mutant: a pattern must match, such as 'wslink.wire.*'")
    chosen = random.Random(seed).sample(names, min(sample, len(names))) if sample else names
    print(f"{len(chosen)} of {len(names)} mutants, seed {seed}", flush=True)
    with (WORK / "python.log").open("a") as log:
        subprocess.call([*command, *chosen], cwd=tree, stdout=log, stderr=log)
    found = outcomes(tree)
    if not any(found[name] for name in chosen):
        sys.exit(f"no mutant has run: {WORK / 'python.log'} says why")
    failed = tree / "mutants" / "failed.txt"
    for name in failed.read_text().splitlines() if failed.exists() else []:
        print(f"left out, for it failed without a mutant: {name}")
    return report({name: found[name] for name in chosen})


def configure(tree: Path) -> None:
    """The tree as it is now, with mutmut's settings and pytest's plugin, and without tests that are gone."""
    copy_tree(tree)
    shutil.rmtree(tree / "mutants" / "tests", ignore_errors=True)
    (tree / "mutants" / "failed.txt").unlink(missing_ok=True)
    package = [f"src/wslink/{path.name}" for path in (ROOT / "src/wslink").iterdir() if path.name not in LAYERS]
    others = ["tests", "docs", "examples", "benchmarks", "pyproject.toml", "README.md", *sorted(package)]
    lists = {"sources": sources(), "tests": present(TESTS), "others": others}
    with (tree / "pyproject.toml").open("a") as file:
        file.write(CONFIGURATION.format_map({name: json.dumps(value) for name, value in lists.items()}))
    mutmut()
    shutil.copy2(ROOT / "scripts" / "mutation_plugin.py", site_packages())


def sources() -> list[str]:
    return [f"src/wslink/{layer}/" for layer in LAYERS]


def present(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if (ROOT / path).exists()]


def wanted(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def outcomes(tree: Path) -> dict[str, str]:
    """What became of each mutant, by its name; "" for those that have not run."""
    found: dict[str, str] = {}
    for path in (tree / "mutants").rglob("*.meta"):
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            found[name] = "" if code is None else OUTCOMES.get(code, KILLED)
    return found


def report(found: dict[str, str]) -> int:
    for name, outcome in sorted(found.items()):
        if outcome in (SURVIVED, UNTESTED):
            print(f"{outcome:10} {name}")
    for layer in LAYERS:
        print(line(layer, [outcome for name, outcome in found.items() if name.startswith(f"wslink.{layer}.")]))
    print(line("all", list(found.values())))
    return 0


def line(what: str, values: list[str]) -> str:
    counts = Counter(values)
    noticed = counts[KILLED] + counts[TIMEOUT]
    ran = noticed + counts[SURVIVED] + counts[UNTESTED]
    score = f"{100 * noticed / ran:.1f} %" if ran else "none"
    told = ", ".join(f"{counts[name]} {name}" for name in (KILLED, TIMEOUT, SURVIVED, UNTESTED))
    told += f", and {counts[NOT_RUN]} could not be run" if counts[NOT_RUN] else ""
    return f"{what:8} {score:>7} of {ran}: {told}"


def mutmut() -> str:
    """The command, in an environment of its own that sees the project's: mutmut is no dependency of the tests."""
    environment = WORK / "venv"
    command = environment / "bin" / "mutmut"
    if not command.exists():
        venv.create(environment, clear=True, with_pip=True)
        site = subprocess.check_output(
            [ROOT / ".venv/bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        subprocess.check_call([environment / "bin/python", "-m", "pip", "install", "--quiet", MUTMUT])
        (site_packages() / "project.pth").write_text(site)
    return str(command)


def site_packages() -> Path:
    return next((WORK / "venv" / "lib").glob("python*/site-packages"))


# TypeScript


VITEST = """
import { readFileSync, readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";

const needsServer = (path) => readFileSync(path, "utf8").includes("support/linked.js");

/** A mutant is done with at the first test that fails: those without a server, which take milliseconds, come first. */
class FastFirst extends BaseSequencer {
  async sort(files) {
    const slow = ({ moduleId }) => Number(needsServer(moduleId));
    return [...files].sort((one, other) => slow(one) - slow(other) || one.moduleId.localeCompare(other.moduleId));
  }
}
const include = readdirSync("tests", { recursive: true })
  .filter((name) => /^(wire|rpc|session|client|hostile)\\/.*\\.test\\.ts$/.test(name))
  .map((name) => `tests/${name}`)
  .filter((path) => !process.env.MUTATION_QUICK || !needsServer(path));
export default defineConfig({ test: { include, testTimeout: 30_000, sequence: { sequencer: FastFirst } } });
"""


def mutate_js(patterns: list[str], sample: Mapping[str, Any], jobs: int, quick: bool) -> int:
    tree = WORK / "js"
    copy_tree(tree)
    js = tree / "js"
    if not (js / "node_modules/@stryker-mutator").exists():
        subprocess.check_call(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=js)
        install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", *STRYKER]
        subprocess.check_call(install, cwd=js)
    shutil.copy2(ROOT / "scripts" / "mutation_sample.mjs", js)
    configuration = {
        "testRunner": "vitest",
        "mutate": patterns or [f"src/{layer}/**/*.ts" for layer in LAYERS[:-1]],
        "plugins": ["@stryker-mutator/*", "./mutation_sample.mjs"],
        "checkers": ["sample"],
        "sample": sample,
        "reporters": ["json", "progress-append-only"],
        "coverageAnalysis": "perTest",
        "concurrency": jobs,
        "inPlace": True,
        "timeoutMS": 20_000,
        "dryRunTimeoutMinutes": 30,
        "timeoutFactor": 3,
        "vitest": {"configFile": "vitest.mutation.config.ts"},
    }
    (js / "stryker.config.json").write_text(json.dumps(configuration))
    (js / "vitest.mutation.config.ts").write_text(VITEST)
    loosen(js)
    environment = {**os.environ, **({"MUTATION_QUICK": "1"} if quick else {})}
    failed = subprocess.call(["npx", "--no-install", "stryker", "run"], cwd=js, env=environment)
    return failed or report_js(js, sample)


TIMED = re.compile(r"(expect\(performance\.now\(\) - \w+\)\.toBeLessThan\()\d+")
SLOW = "a million chunks of one byte|is kept where the server|is asked for one, and given up"
HEAVY = re.compile(rf'test\((?="(?:{SLOW}))|test\.each\((?=\[\[0, 1001\])')


def loosen(js: Path) -> None:
    """Tests do not hold how fast it is: every function of the core counts its calls, and two runs share the machine."""
    for path in (js / "tests").rglob("*.test.ts"):
        text = path.read_text()
        if (
            loose := HEAVY.sub(lambda found: found[0].replace("test", "test.skip", 1), TIMED.sub(r"\g<1>1e9", text))
        ) != text:
            path.write_text(loose)


JS_OUTCOMES = {
    "Killed": KILLED,
    # An error outside of tests, such as a filter of tests that vitest cannot make: nothing is known of the mutant.
    "RuntimeError": NOT_RUN,
    "Timeout": TIMEOUT,
    "Survived": SURVIVED,
    "NoCoverage": UNTESTED,
}


def report_js(js: Path, sample: Mapping[str, Any]) -> int:
    """Survivors with the place and the text that replaces it, and the score of each layer."""
    files = json.loads((js / "reports/mutation/mutation.json").read_text())["files"]
    found: dict[str, list[str]] = {}
    for file, told in sorted(files.items()):
        lines = told["source"].split("\n")
        for mutant in told["mutants"]:
            if mutant["status"] not in JS_OUTCOMES or not chosen_js(mutant["id"], sample):
                continue
            outcome = JS_OUTCOMES[mutant["status"]]
            found.setdefault(file.split("/")[1], []).append(outcome)
            if outcome in (SURVIVED, UNTESTED, NOT_RUN):
                start, end = mutant["location"]["start"], mutant["location"]["end"]
                print(f"{outcome:10} {file}:{start['line']}:{start['column']}-{end['line']}:{end['column']}")
                print(f"    {lines[start['line'] - 1].strip()}\n    {mutant['mutatorName']}: {mutant['replacement']}")
    for layer, values in found.items():
        print(line(layer, values))
    print(line("all", [value for values in found.values() for value in values]))
    return 0


def chosen_js(identity: str, sample: Mapping[str, Any]) -> bool:
    """The choice of scripts/mutation_sample.mjs."""
    besides = (text.split(":") for text in sample["besides"])
    if any(in_sample(identity, int(seed), float(share)) for seed, share in besides):
        return False
    return in_sample(identity, sample["seed"], sample["share"])


def in_sample(identity: str, seed: int, share: float) -> bool:
    digest = hashlib.sha256(f"{seed}:{identity}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


# Both


def copy_tree(target: Path) -> None:
    """A copy of what is under version control, as it stands in the working tree; files that are the same stay."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    names = {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}
    for path in [path for part in ("src", "tests", "js/src", "js/tests") for path in (target / part).rglob("*")]:
        if path.is_file() and path.relative_to(target).as_posix() not in names:
            path.unlink()
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if not same(ROOT / name, target / name):
            shutil.copy2(ROOT / name, target / name)
    static = ROOT / "src/wslink/static"
    shutil.copytree(static, target / "src/wslink/static", dirs_exist_ok=True)


def same(source: Path, copy: Path) -> bool:
    if not copy.exists():
        return False
    of_source, of_copy = source.stat(), copy.stat()
    return (of_source.st_size, of_source.st_mtime_ns) == (of_copy.st_size, of_copy.st_mtime_ns)


if __name__ == "__main__":
    sys.exit(main())
