"""`wslink serve --workers`: several processes behind one port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Server
from tests.cluster.serving import PROGRAM, Serving
from tests.ports import free_port
from wslink import ConnectionClosed, Reconnect, connect

pytestmark = pytest.mark.timeout(90)


async def test_workers_share_a_port_and_their_publications_and_one_that_dies_is_replaced(serving: Serving) -> None:
    clients = await serving.pids(2)
    first, *_ = clients.values()
    for peer in clients.values():
        assert "result" in await peer.subscribe(1, "test.topic")
    assert (await first.call("test.publish", 7))["result"] == 1
    assert [(await peer.receive())["result"] for peer in clients.values()] == [7, 7]
    assert (await first.call("test.clients"))["result"] == 2
    victim, lost = list(clients.items())[-1]
    await first.subscribe(2, "room.presence")
    await first.receive()
    await lost.call("test.join")
    assert (await first.receive())["result"]["joined"]["id"] == lost.client_id
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    assert (await first.receive())["result"]["left"]["id"] == lost.client_id
    assert time.monotonic() - began < 10
    assert (await first.call("test.clients"))["result"] == 1
    again = await serving.pids(2)
    assert victim not in again
    assert len(clients.keys() & again.keys()) == 1
    for peer in (*clients.values(), *again.values()):
        await peer.close()


class Follower:
    """A Python link, and what became of it; as those of viewers.mjs."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.id = link.client_id
        self.got: list[Any] = []
        self.resumed: list[bool] = []
        link.on_reconnected(lambda reconnected: self.resumed.append(reconnected.resumed))
        self.subscription = link.subscribe("test.topic")
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for payload in self.subscription:
            self.got.append(payload)

    def result(self) -> dict[str, Any]:
        return {"got": self.got, "resumed": self.resumed, "same": self.id == self.link.client_id}


@contextlib.asynccontextmanager
async def javascript_viewers(url: str, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Links of the JavaScript client."""
    pipe = asyncio.subprocess.PIPE
    script = str(Path(__file__).with_name("viewers.mjs"))
    process = await asyncio.create_subprocess_exec(
        "node", script, url, str(count), stdin=pipe, stdout=pipe, limit=2**26
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_reload_replaces_every_worker_and_loses_no_client(serving: Serving) -> None:
    """RES-12: 20 clients of both languages go on at other workers, and get every publication once and in order."""
    before = await serving.pids(2)
    for peer in before.values():
        await peer.close()
    async with contextlib.AsyncExitStack() as stack:
        pages = await stack.enter_async_context(javascript_viewers(serving.url, 8))
        links = [
            await stack.enter_async_context(connect(serving.url, secret="secret", reconnect=True)) for _ in range(12)
        ]
        followers = [Follower(link) for link in links]
        for follower in followers:
            await follower.subscription.ready
        serving.process.send_signal(signal.SIGHUP)
        published, deadline = 0, time.monotonic() + 40
        while True:
            await links[published % 12].with_options(retry=False).call("test.publish", published)
            published += 1
            await asyncio.sleep(0.01)
            if published % 20 == 0:
                now = {await link.call("test.pid") for link in links}
                if not now & before.keys():
                    break
                assert time.monotonic() < deadline
        deadline = time.monotonic() + 10
        while any(len(one.got) < published for one in followers) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert pages.stdin is not None
        assert pages.stdout is not None
        pages.stdin.write(str(published).encode())
        pages.stdin.close()
        results = [*json.loads(await pages.stdout.read()), *(follower.result() for follower in followers)]
        assert [one["same"] for one in results] == [True] * 20
        assert all(one["resumed"] and all(one["resumed"]) for one in results), [one["resumed"] for one in results]
        counts = [Counter(one["got"]) for one in results]
        wrong = [{number: count[number] for number in range(published) if count[number] != 1} for count in counts]
        assert wrong == [{}] * 20, "each gets every publication once"


async def test_what_cannot_start_is_told(tmp_path: Path) -> None:
    soon = "from wslink.cluster import cluster\ncluster.PATIENCE = 0.2\n"
    (tmp_path / "program.py").write_text(f"{soon}from wslink import App\napp = App(broker='redis://127.0.0.1:1')\n")

    async def fails(words: str, *more: str) -> None:
        command = ["-m", "wslink", "serve", "program:app", "--port", "0", "--workers", "2", *more]
        run = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await asyncio.wait_for(run.communicate(), 60)
        assert (run.returncode, words in errors.decode()) == (1, True), errors

    await asyncio.gather(
        fails("cannot be reached"),
        fails("timeout is for one worker", "--timeout", "5"),
        fails("inspector is for one", "--inspector"),
    )


UVICORN = ("uvicorn", "program:mounted", "--workers", "2", "--port")
GUNICORN = (
    "gunicorn", "program:mounted", "--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker", "--bind",
)  # fmt: skip


@pytest.mark.parametrize("server", [UVICORN, GUNICORN], ids=["uvicorn", "gunicorn"])
async def test_workers_of_other_servers_are_one_application_too(
    server: tuple[str, ...], tmp_path: Path, redis: Server
) -> None:
    """RES-12: also when workers end, their sessions go on."""
    (tmp_path / "program.py").write_text(PROGRAM + "\nmounted = app.asgi()\n")
    port = free_port()
    command = [sys.executable, "-m", *server, str(port) if server is UVICORN else f"127.0.0.1:{port}"]
    environment = {**os.environ, "TEST_BROKER": f"{redis.url}{port}"}  # an application of its own
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=errors, stderr=errors)
    links: dict[int, Any] = {}
    returned: list[bool] = []
    soon = Reconnect(initial=0.1, max=0.2)
    try:
        deadline = time.monotonic() + 40
        while len(links) < 2:
            assert time.monotonic() < deadline, (tmp_path / "errors").read_text()
            try:
                link = await connect(f"ws://127.0.0.1:{port}/ws", secret="secret", reconnect=soon)
            except ConnectionClosed:
                await asyncio.sleep(0.2)
                continue
            if links.setdefault(await link.call("test.pid"), link) is not link:
                await link.close()
        followers = [Follower(link) for link in links.values()]
        for follower in followers:
            await follower.subscription.ready
            follower.link.on_reconnected(lambda reconnected: returned.append(reconnected.resumed))
        while await link.call("test.clients") != 2:
            await asyncio.sleep(0.1)
        assert await link.call("test.publish", 7) == 1
        if server is UVICORN:
            process.send_signal(signal.SIGHUP)
            going = set(links)
        else:  # whose SIGHUP ends the workers before there are others
            going = {next(iter(links))}
            os.kill(*going, signal.SIGTERM)
        while len(returned) < len(going) or {await one.call("test.pid") for one in links.values()} & going:
            assert time.monotonic() < deadline, (returned, (tmp_path / "errors").read_text())
            await asyncio.sleep(0.1)
        await link.call("test.publish", 8)
        while not all(one.got == [7, 8] for one in followers):
            assert time.monotonic() < deadline, [one.got for one in followers]
            await asyncio.sleep(0.02)
        assert all(returned)
        assert "several worker processes" not in (tmp_path / "errors").read_text()
    finally:
        for link in links.values():
            await link.close()
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
