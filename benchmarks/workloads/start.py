"""Import, and start of a server."""

from __future__ import annotations

import resource
import subprocess

from benchmarks import environments
from benchmarks.process import SERVER_CORE, Server, pin
from benchmarks.workload import OURS, RELEASED, Metric, Workload

TRIES = 5
IMPORTS = {"load": "picows, msgspec"}


async def start(server: Server) -> dict[str, float]:
    """CPU of the running server until it listened, and of a bare import."""
    listening = server.cpu()
    interpreter = environments.python(server.peer.environment)
    bare = min(_run(interpreter, "pass") for _ in range(TRIES))
    imported = min(_run(interpreter, f"import {IMPORTS.get(server.peer.environment, 'wslink')}") for _ in range(TRIES))
    return {"import_ms": (imported - bare) * 1e3, "start_ms": listening * 1e3}


def _run(interpreter: object, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(interpreter), "-c", code], check=True, preexec_fn=lambda: pin(SERVER_CORE))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


WORKLOADS = (
    Workload(
        "start", "import, and start of a server", ("raw g2", *OURS[1::2], *RELEASED),
        (
            Metric("import_ms", "ms of CPU to import wslink", targets=(("", 30.0),)),
            Metric("start_ms", "ms of CPU until it listens", targets=(("2.6.0", 0.6),)),
        ),
        start,
    ),
)  # fmt: skip
