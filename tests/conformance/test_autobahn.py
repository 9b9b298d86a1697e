"""Autobahn's cases (RFC 6455), as kosoku runs them. docs/conformance.md lists those that are not "OK", and why."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.echo import dial, dial_as_client, serving

kosoku = pytest.importorskip("kosoku", reason="needs the dependency group conformance")

NOT_RUN = ["12.*", "13.*"]
LARGE = [*(f"9.{part}.*" for part in range(3, 9)), *(f"9.{part}.{size}" for part in (1, 2) for size in (4, 5, 6))]
"""Messages of 4 MiB and more, in pieces, and in thousands: for time, of which the cases allow little."""
EARLY = [f"9.{part}.{size}" for part in (1, 2) for size in (2, 3)]
"""More than a reverse connection takes of what arrives with the response to its handshake, where a hello is due."""
DOCS = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
FINE = ("OK", "INFORMATIONAL")


def documented(column: str) -> dict[str, str]:
    """The cases that are not "OK" for one of the table's columns, and what they are."""
    header, _, *rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in DOCS.splitlines() if line.startswith("|")
    ]
    index = header.index(column)
    return {case: row[index] for row in rows for case in re.findall(r"[\d.]+\d", row[0]) if row[index] != "OK"}


def outcome(result: Any) -> str:
    if result.behavior.value in FINE:
        return "OK" if result.behavior_close.value in FINE else str(result.behavior_close.value)
    return str(result.behavior.value)


def not_ok(results: list[Any]) -> dict[str, str]:
    return {result.case_id: outcome(result) for result in results if outcome(result) != "OK"}


def check(results: list[Any], column: str) -> None:
    """What is not strict may be, where it depends on what arrives together; nothing else may differ from the docs."""
    found, known = not_ok(results), documented(column)
    assert found.items() <= known.items()
    assert {case for case, kind in known.items() if kind != "NON-STRICT"} <= set(found)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_server(engine: str) -> None:
    async with serving(engine) as url:
        try:
            results = await kosoku.run_fuzzingclient(url, None, NOT_RUN, concurrency=4)
        except kosoku.FailureError as failure:
            results = failure.results
    assert len(results) > 300
    check(results, engine)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("column", "echo", "early"), [("reverse", dial, EARLY), ("client", dial_as_client, [])])
async def test_a_client(column: str, echo: Callable[[str], Awaitable[None]], early: list[str]) -> None:
    async with (
        kosoku.run_fuzzingserver(None, [*NOT_RUN, *LARGE, *early], port=0) as server,
        aiohttp.ClientSession() as http,
    ):
        url = f"ws://{server.address}:{server.port}"
        async with http.ws_connect(f"{url}/getCaseCount") as socket:
            count = int(await socket.receive_str())
        for case in range(1, count + 1):
            await asyncio.wait_for(echo(f"{url}/runCase?case={case}&agent={column}"), 30)
        async with http.ws_connect(f"{url}/updateReports?agent={column}") as socket:
            await socket.receive()
        try:
            results = await server.get_result()
        except kosoku.FailureError as failure:
            results = failure.results
    assert len(results) > 200
    check(results, column)
