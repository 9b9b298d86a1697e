"""Runs mutmut over the Python core and Stryker over the TypeScript core, in copies of the tree; see scripts/mutate."""

from __future__ import annotations

import argparse
import fnmatch
import json
import random
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "mutation"
LAYERS = ("wire", "rpc", "session", "hub")
TESTS = ("tests/wire", "tests/rpc", "tests/session", "tests/hub", "tests/client", "tests/server/test_calls.py")
MUTMUT = "mutmut>=3.8,<4"
STRYKER = ("@stryker-mutator/core@10", "@stryker-mutator/vitest-runner@10", "@stryker-mutator/typescript-checker@10")
CONFIGURATION = """
[tool.mutmut]
source_paths = [{sources}]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = ["-q", "--timeout=300", "--ignore=tests/session/test_delivery.py"]
also_copy = ["src/wslink", "tests", "docs", "examples", "benchmarks", "pyproject.toml", "README.md"]
"""
KILLED, SURVIVED, UNTESTED, TIMEOUT = "killed", "survived", "no tests", "timeout"
OUTCOMES = {0: SURVIVED, 1: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED, 24: TIMEOUT, 36: TIMEOUT, 152: TIMEOUT}
"""mutmut's exit codes. What ends a test's process in another way was noticed as well."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("language", choices=("python", "js", "show"))
    parser.add_argument(
        "patterns", nargs="*", help="names of mutants or files, with wildcards; all where none is given"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many mutants at random (Python)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    if options.language == "show":
        return subprocess.call([mutmut(), "show", *options.patterns], cwd=WORK / "python")
    if options.language == "js":
        return mutate_js(options.patterns, options.jobs)
    return mutate_python(options.patterns, options.sample, options.seed, options.jobs)


# Python


def mutate_python(patterns: list[str], sample: int, seed: int, jobs: int) -> int:
    """Make the mutants, choose some, run each against the tests that enter its function, and print the score."""
    tree = WORK / "python"
    copy_tree(tree)
    quoted = [", ".join(f'"{name}"' for name in names) for names in (sources(), present(TESTS))]
    with (tree / "pyproject.toml").open("a") as file:
        file.write(CONFIGURATION.format(sources=quoted[0], tests=quoted[1]))
    command = [mutmut(), "run", "--max-children", str(jobs)]
    # Mutants have names once they have been made, and mutmut makes them as it runs: one name that none has.
    with (WORK / "python.log").open("w") as log:
        subprocess.call([*command, "nothing"], cwd=tree, stdout=log, stderr=log)
    names = sorted(name for name in outcomes(tree) if wanted(name, patterns))
    if not names:
        sys.exit("no mutant: a pattern must match, such as 'wslink.wire.*'")
    chosen = random.Random(seed).sample(names, min(sample, len(names))) if sample else names
    print(f"{len(chosen)} of {len(names)} mutants, seed {seed}", flush=True)
    with (WORK / "python.log").open("a") as log:
        subprocess.call([*command, *chosen], cwd=tree, stdout=log, stderr=log)
    found = outcomes(tree)
    return report({name: found[name] for name in chosen})


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
        own = next((environment / "lib").glob("python*/site-packages"))
        (own / "project.pth").write_text(site)
    return str(command)


# TypeScript


def mutate_js(patterns: list[str], jobs: int) -> int:
    tree = WORK / "js"
    copy_tree(tree)
    js = tree / "js"
    subprocess.check_call(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=js)
    install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", *STRYKER]
    subprocess.check_call(install, cwd=js)
    configuration = {
        "testRunner": "vitest",
        "mutate": patterns or [f"src/{layer}/**/*.ts" for layer in LAYERS[:-1]],
        "reporters": ["clear-text"],
        "clearTextReporter": {"allowColor": False, "logTests": False, "reportTests": False},
        "coverageAnalysis": "perTest",
        "concurrency": jobs,
        "inPlace": True,
        "vitest": {"configFile": "vitest.mutation.config.ts"},
    }
    (js / "stryker.config.json").write_text(json.dumps(configuration))
    (js / "vitest.mutation.config.ts").write_text(
        'import { defineConfig } from "vitest/config";\n'
        'const include = ["wire", "rpc", "session", "client", "hostile"].map((name) => `tests/${name}/**/*.test.ts`);\n'
        "export default defineConfig({ test: { include, testTimeout: 10_000 } });\n"
    )
    return subprocess.call(["npx", "--no-install", "stryker", "run"], cwd=js)


def copy_tree(target: Path) -> None:
    """A copy of what is under version control, as it stands in the working tree."""
    shutil.rmtree(target, ignore_errors=True)
    names = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    static = ROOT / "src/wslink/static"
    shutil.copytree(static, target / "src/wslink/static", dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
