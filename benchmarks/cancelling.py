"""How soon a call that a page gives up is cancelled at the server, beside a large transfer.

    python -m benchmarks.cancelling [--mib 1024] [--calls 20]

A client in Node (npm run build --prefix js) gives up one call after the other, on loopback, while a result or an
argument is on its way. It prints the milliseconds from the abort to the method's CancelledError.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from wslink import App

HERE = Path(__file__).parent
BOUND = 50.0
"""Milliseconds that are allowed."""


class Slow:
    """Calls that run until they are cancelled, and when that was, by the wall clock."""

    def __init__(self, app: App) -> None:
        self.ended: dict[int, float] = {}
        app.method("bench.slow")(self.slow)
        app.method("bench.ended")(self.wait)
        app.method("bench.binary")(lambda size: bytes(size))
        app.method("bench.take")(lambda data: len(data))

    async def slow(self, number: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.ended[number] = time.time() * 1000
            raise

    async def wait(self, number: int) -> float:
        """When a call was cancelled, in milliseconds."""
        while number not in self.ended:
            await asyncio.sleep(0.001)
        return self.ended.pop(number)


async def measure(kind: str, size: int, calls: int) -> list[float]:
    app = App(secret="secret")
    Slow(app)
    server = await app.serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="")
    command = ["node", HERE / "cancelling.mjs", f"ws://127.0.0.1:{server.port}/ws", kind, str(size), str(calls)]
    client = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.PIPE)
    found: list[float] = json.loads((await client.communicate())[0])
    await server.stop()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cancelling", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="of the transfer (1024)")
    parser.add_argument("--calls", type=int, default=20, help="that are given up (20)")
    options = parser.parse_args()
    most = 0.0
    for kind in ("result", "argument"):
        times = sorted(asyncio.run(measure(kind, options.mib << 20, options.calls)))
        most = max(most, times[-1])
        print(f"beside a {kind} of {options.mib} MiB: {times[len(times) // 2]:.1f} ms, at most {times[-1]:.1f} ms")
    return 0 if most <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
