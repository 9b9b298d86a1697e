"""`python -m tests.fuzz NAME --seconds N`"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from tests.fuzz.runner import guided, load, mutate, names


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz one target.")
    parser.add_argument("name", nargs="?", choices=names(), help="the target; all of them are listed unless given")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, help="repeats a run without atheris")
    parser.add_argument("--corpus", type=Path, help="a directory that keeps what atheris finds")
    arguments = parser.parse_args()
    if arguments.name is None:
        print("\n".join(names()))
        return 0
    if importlib.util.find_spec("atheris") is not None and arguments.seed is None:
        guided(arguments.name, arguments.seconds, arguments.corpus or Path(tempfile.mkdtemp()))
    count = mutate(*load(arguments.name), arguments.seconds, arguments.seed)
    print(f"{arguments.name}: {count} inputs, none failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
