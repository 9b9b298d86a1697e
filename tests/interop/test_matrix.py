"""Every client against every server: the same cases, each pair in processes of their own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = HERE / "peers"
CASES = json.loads((HERE / "cases.json").read_text())
DOCUMENT = ROOT / "docs" / "interoperability.md"


def peer_python(version: str) -> str:
    """The interpreter of a released peer's environment, which scripts/test makes."""
    python = ROOT / ".cache" / "peers" / version / "bin" / "python"
    assert python.exists(), f"{python} is missing: run scripts/test interop"
    return str(python)


SERVERS = {
    "ours": lambda: [sys.executable, str(PEERS / "server_app.py")],
    "wslink 2.6.0": lambda: [peer_python("2.6.0"), str(PEERS / "server_released.py")],
    "wslink 1.12.4": lambda: [peer_python("1.12.4"), str(PEERS / "server_released.py")],
}
CLIENTS = {
    "npm 1.12.4": ["node", str(PEERS / "client_released.cjs"), "wslink1"],
    "npm 2.5.0": ["node", str(PEERS / "client_released.cjs"), "wslink2"],
    "ours (released API)": ["node", str(PEERS / "client_released.cjs"), str(ROOT / "js" / "cjs" / "index.js")],
    "ours (TypeScript)": ["node", str(PEERS / "client_ours.mjs")],
    "ours (Python)": [sys.executable, str(PEERS / "client_ours.py")],
}
PAIRS = [
    *((client, "ours") for client in CLIENTS),
    *((client, server) for client in list(CLIENTS)[2:] for server in list(SERVERS)[1:]),
]


@contextmanager
def running(server: str) -> Iterator[str]:
    """Start a server on a free port; the URL of its WebSocket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # In the first generation a message is one frame, so what deployments with large messages set is set here, too.
    environment = {**os.environ, "WSLINK_MAX_MSG_SIZE": "4194304"}
    if "1.12.4" in os.environ.get("PYTEST_CURRENT_TEST", ""):
        environment["WSLINK_MAX_MSG_SIZE"] = "134217728"
    process = subprocess.Popen(
        [*SERVERS[server](), str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        wait_for_port(port, process)
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        process.kill()
        process.communicate()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def run(client: str, url: str) -> dict[str, str]:
    """What each case came to: "" where it passed, else what went wrong."""
    command = [*CLIENTS[client], url] + ([str(HERE / "cases.json")] if client == "ours (Python)" else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=HERE)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    outcome = {line["case"]: "" if line["ok"] else line["detail"] or "failed" for line in lines}
    return {case: outcome.get(case, f"was not run: {done.stderr[-300:]}") for case in CASES["cases"]}


def known_failure(client: str, server: str, case: str) -> str:
    for entry in CASES["known_failures"]:
        if entry["client"] == client and entry["server"] == server and case in entry.get("cases", [case]):
            return str(entry["reason"])
    return ""


matrix: dict[tuple[str, str], list[str]] = {}


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("client", "server"), PAIRS, ids=[f"{client}-{server}" for client, server in PAIRS])
def test_pair(client: str, server: str) -> None:
    with running(server) as url:
        outcome = run(client, url)
    wrong, failed = [], []
    for case, detail in outcome.items():
        reason = known_failure(client, server, case)
        if detail:
            failed.append(case)
        if bool(detail) != bool(reason):
            wrong.append(f"{case}: {detail or f'passes, though known to fail: {reason}'}")
    matrix[client, server] = failed
    assert not wrong, "\n".join(wrong)


def table() -> str:
    """The matrix as it stands in docs/interoperability.md."""
    total = len(CASES["cases"])
    lines = [f"| client | {' | '.join(SERVERS)} |", f"| --- |{' --- |' * len(SERVERS)}"]
    for client in CLIENTS:
        cells = []
        for server in SERVERS:
            failed = matrix.get((client, server))
            cells.append("-" if failed is None else f"{total - len(failed)}/{total}")
        lines.append(f"| {client} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_matrix_is_the_documented_one() -> None:
    if len(matrix) < len(PAIRS):
        pytest.fail("the matrix needs every pair: run the whole file")
    sys.stdout.write(f"\n{table()}\n")
    documented = re.search(r"^\| client .*?(?=\n\n|\Z)", DOCUMENT.read_text(), re.M | re.S)
    assert documented is not None
    assert documented[0].strip() == table()
