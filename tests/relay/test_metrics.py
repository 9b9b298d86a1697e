"""What a relay tells Prometheus, and whom."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.relay.place import Place

TOKEN = "a token of the process"


async def lines(place: Place, url: str) -> list[str]:
    async with place.http.get(f"{url}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        return (await response.text()).splitlines()


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN.replace(" ", "-"))
    return str(tmp_path / "token")


async def test_forwarded_connections_and_refusals_are_counted(place: Place) -> None:
    url, echo = await place.relay(metrics=True), await place.echo()
    socket = await place.dial(f"{url}/proxy/{echo}")
    assert await place.refused(f"{url}/proxy/0") == 404
    seen = await lines(place, url)
    assert {"wslink_relay_forwarded 1.0", "wslink_relay_accepted_total 1.0"} <= set(seen)
    assert 'wslink_relay_refused_total{status="404"} 1.0' in seen
    await socket.close()
    for _ in range(100):
        if "wslink_relay_forwarded 0.0" in await lines(place, url):
            return
        await asyncio.sleep(0.02)
    pytest.fail("the connection is counted for ever")


async def test_pairs_and_those_that_wait_are_counted(place: Place) -> None:
    url = await place.relay(metrics=True, mode="relay", proxy_route="/meet/{id}")
    sockets = [await place.dial(f"{url}/meet/1")]
    assert 'wslink_relay_waiting{role="process"} 1.0' in await lines(place, url)
    sockets.append(await place.dial(f"{url}/meet/1"))
    seen = set(await lines(place, url))
    assert {"wslink_relay_pairs 1.0", 'wslink_relay_waiting{role="process"} 0.0'} <= seen
    assert "wslink_relay_accepted_total 2.0" in seen


async def test_who_may_watch(place: Place, token: str) -> None:
    url = await place.relay(metrics=True, mode="relay", process_token_file=token)
    right, wrong = ({"Authorization": f"Bearer {one}"} for one in (TOKEN.replace(" ", "-"), "another-token-1234"))
    outside = {"X-Forwarded-For": "9.9.9.9"}
    for headers, status in (
        ({}, 200),
        (outside, 404),
        ({**outside, **wrong}, 404),
        ({**outside, **right}, 200),
        ({"Origin": "https://evil.example"}, 404),
        ({"Host": "evil.example"}, 404),
    ):
        async with place.http.get(f"{url}/metrics", headers=headers) as response:
            assert response.status == status, headers


async def test_there_are_none_unless_they_are_asked_for(place: Place) -> None:
    async with place.http.get(f"{await place.relay()}/metrics") as response:
        assert response.status == 404


async def test_a_hangup_reads_the_token_files_and_ends_nothing(token: str) -> None:
    arguments = ("--port", "0", "--mode", "relay", "--process-token-file", token)
    command = (sys.executable, "-m", "wslink.relay", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), 30)
        Path(token).write_text("short")
        os.kill(process.pid, signal.SIGHUP)
        told = await asyncio.wait_for(process.stderr.readuntil(b"SIGHUP"), 20)
        assert b"stays valid" in told
        assert process.returncode is None
    finally:
        process.terminate()
        await process.communicate()
