"""`scripts/cuts --cuts 10000`: cut the lines between clients and a server, and check that nothing was lost."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
from pathlib import Path

from tests.history import memory
from tests.history.js import missing
from tests.history.returns import returns
from tests.history.roads import ROADS, SINGLE
from tests.history.run import Result, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/cuts", description=__doc__)
    parser.add_argument("--road", choices=sorted(ROADS), default="picows")
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of an earlier run, to repeat it")
    parser.add_argument("--javascript", type=int, default=0 if missing() else 2, help="clients in Node")
    parser.add_argument("--python", type=int, default=1, help="clients in Python")
    parser.add_argument("--pace", type=float, default=0.04, help="longest pause of who speaks, in seconds")
    parser.add_argument("--returns", type=int, help="instead: how soon so many clients of a restarted server are back")
    parser.add_argument("--memory", action="store_true", help="instead: what is held for a client that is away")
    options = parser.parse_args()
    if options.memory:
        return memory.main()
    if options.returns:
        enough_always = True
        for away, kill in ((0.5, False), (0.5, True), (4.0, True)):
            told, enough = asyncio.run(returns(options.returns, away, kill))
            print(told, flush=True)
            enough_always &= enough
        return not enough_always
    if options.road in SINGLE:
        options.javascript, options.python = 0, 1
    print(f"--road {options.road} --cuts {options.cuts} --seed {options.seed}", flush=True)
    result = asyncio.run(_run(options))
    print(result, flush=True)
    return bool(result.found)


async def _run(options: argparse.Namespace) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        server = ("--seed", str(options.seed), "--pace", str(options.pace))
        async with ROADS[options.road](Path(directory), *server) as road:
            return await run(
                road.url, road.direct, options.cuts, seed=options.seed, javascript=options.javascript,
                python=options.python, pace=options.pace, patience=road.patience,
                tell=lambda cuts: print(cuts, "cuts", flush=True),
            )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
