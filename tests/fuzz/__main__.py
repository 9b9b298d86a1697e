"""`python -m tests.fuzz NAME --seconds N`: fuzz one target; `all` runs each in a process of its own, one by one."""

from __future__ import annotations

import argparse
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", help="a target, or all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    options = parser.parse_args()
    from tests.fuzz.harness import TARGETS

    if options.name != "all":
        if options.name not in TARGETS:
            parser.error(f"unknown target {options.name!r}; targets: all, {', '.join(TARGETS)}")
        return run(options.name, options.seconds)
    failed = []
    for name in TARGETS:
        print(f"-- {name} --", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(options.seconds)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"fuzzed: {', '.join(TARGETS)}; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


def run(name: str, seconds: int) -> int:
    from tests.fuzz.harness import fuzz

    fuzz(name, seconds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
