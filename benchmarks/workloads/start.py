"""Import, and start of a server."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import environments
from benchmarks.process import SERVER_CORE, Server, pin
from benchmarks.workload import OURS, RELEASED, Load, Metric, Window

IMPORTS = {"load": "picows, msgspec"}


@asynccontextmanager
async def start(server: Server) -> AsyncIterator[Window]:
    """CPU of the new server until it listened, and of a bare import."""
    interpreter = environments.python(server.peer.environment)

    async def window() -> dict[str, float]:
        listening = server.cpu()
        bare = _run(interpreter, "pass")
        imported = _run(interpreter, f"import {IMPORTS.get(server.peer.environment, 'wslink')}")
        return {"import_ms": (imported - bare) * 1e3, "start_ms": listening * 1e3}

    yield window


def _run(interpreter: object, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(interpreter), "-c", code], check=True, preexec_fn=lambda: pin(SERVER_CORE))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


WORKLOADS = (
    Load(
        name="start", title="import, and start of a server", peers=("raw v2", *OURS[1::2], *RELEASED),
        metrics=(
            Metric("import_ms", "import wslink, ms of CPU", targets=(("", 30.0),)),
            Metric("start_ms", "ms of CPU until it listens", targets=(("2.6.0", 0.6),)),
        ),
        ready=start, windows=5, restart=True,
    ),
)  # fmt: skip
