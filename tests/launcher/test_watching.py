"""What is told of sessions: events of a start, health and metrics."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import READY, SLEEP, Running, app, launching
from tests.waiting import until

EVENTS = {"Accept": "text/event-stream"}


async def events(running: Running, application: str, **options: Any) -> list[tuple[str, Any]]:
    """The events of a start."""
    url, body = f"{running.url}/paraview/", {"application": application}
    async with running.http.post(url, json=body, headers=EVENTS, **options) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        return [_event(block) for block in (await response.text()).split("\n\n") if block.strip(": \n")]


def _event(block: str) -> tuple[str, Any]:
    kind, data = block.split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_a_start_as_events(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        (first, nothing), (last, session) = await events(running, "good")
        assert (first, nothing, last) == ("starting", {}, "ready")
        assert await running.ask("GET", session["id"]) == (200, session)


async def test_a_failure_as_events(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        _, (last, failure) = await events(running, "failing")
        assert (last, failure["status"], failure["exitCode"]) == ("failed", 503, 3)
        assert failure["log"].strip() == "the reason ***"
        _, (last, failure) = await events(running, "nothing")
        assert (last, failure["status"]) == ("failed", 400)


async def test_a_client_that_leaves_cancels_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    slow = app(f"import time; time.sleep(1); {READY}; {SLEEP}")
    async with launching(tmp_path, apps={"slow": slow}) as running:
        url = f"{running.url}/paraview/"
        response = await running.http.post(url, json={"application": "slow"}, headers=EVENTS)
        assert await response.content.readuntil(b"\n\n") == b"event: starting\ndata: {}\n\n"
        response.close()
        await until(lambda: not running.launcher.sessions)
        assert running.free_ports() == 4
    # That people leave is no fault of the launcher's.
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_health(tmp_path: Path) -> None:
    async with launching(tmp_path) as running, running.http.get(f"{running.url}/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_metrics(tmp_path: Path) -> None:
    async with launching(tmp_path) as running:
        await asyncio.gather(running.start("good"), running.start("good"), running.post("failing"))
        async with running.http.get(f"{running.url}/metrics") as response:
            text = await response.text()
        for line in (
            'wslink_launcher_sessions{state="ready"} 2.0',
            "wslink_launcher_free_ports 2.0",
            'wslink_launcher_starts_total{application="good"} 2.0',
            'wslink_launcher_start_failures_total{application="failing"} 1.0',
            'wslink_launcher_start_seconds_count{application="good"} 2.0',
        ):
            assert line in text.splitlines()


async def test_an_application_that_was_never_started_counts_from_zero(tmp_path: Path) -> None:
    """increase() in Prometheus, and so an alert on it, does not see a counter that begins with 1."""
    async with launching(tmp_path) as running:
        async with running.http.get(f"{running.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        assert 'wslink_launcher_start_failures_total{application="failing"} 0.0' in lines
        assert 'wslink_launcher_starts_total{application="good"} 0.0' in lines


async def test_metrics_are_not_for_the_public(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    async with launching(tmp_path, admin_token_file=str(tmp_path / "token")) as running:
        outside = {"X-Forwarded-For": "9.9.9.9"}
        async with running.http.get(f"{running.url}/metrics", headers=outside) as response:
            assert response.status == 404
        outside["Authorization"] = "Bearer 0123456789abcdef"
        async with running.http.get(f"{running.url}/metrics", headers=outside) as response:
            assert response.status == 200
