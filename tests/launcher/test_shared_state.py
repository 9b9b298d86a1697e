"""Several launchers with one state in a real redis-server: any of them answers for any session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Server
from tests.docs.blocks import block
from tests.launcher.support import APPS as PLAIN
from tests.launcher.support import Client, LauncherProcess, launching, processes
from tests.launcher.test_handoff import APPS as SERVERS
from tests.launcher.test_handoff import address
from tests.ports import free_port
from tests.waiting import until
from wslink import connect
from wslink.errors import ConfigurationError, UsageError
from wslink.launcher.source import read_source
from wslink.launcher.stores.base import Changes, Place
from wslink.launcher.validation import convert

FROM = {"X-Forwarded-For": "192.0.2.1"}
"""A client that limits count: what comes from this machine may be anybody's, through a proxy."""
APPS = {**PLAIN, "app": SERVERS["app"], "carried": SERVERS["carried"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server("redis", tmp_path_factory.mktemp("redis"))
    yield started
    started.stop()


@pytest.fixture
def state(server: Server, request: pytest.FixtureRequest) -> str:
    """A state of the test's own."""
    return f"redis://127.0.0.1:{server.port}/0?name=t{abs(hash(request.node.name))}"


@asynccontextmanager
async def two(directory: Path, state: str, **settings: Any) -> AsyncIterator[tuple[LauncherProcess, ...]]:
    """Two launchers as processes that share a state; each has `client`."""
    launchers = []
    for name in ("one", "two"):
        port = free_port()
        launchers.append(
            LauncherProcess(directory / name, apps=APPS, state=state, launcher=name, port=port, timeout=15, **settings)
        )
    clients = await asyncio.gather(*(one.start() for one in launchers))
    for launcher, client in zip(launchers, clients, strict=True):
        launcher.client = client
    try:
        yield tuple(launchers)
    finally:
        for launcher in launchers:
            await launcher.client.http.close()
            if launcher.process.returncode is None:
                await launcher.terminate()


async def answers(client: Client, session: dict[str, Any], wanted: int, patience: float = 15) -> None:
    """Wait until GET of a session is answered with a status."""
    deadline = asyncio.get_running_loop().time() + patience
    while (await client.ask("GET", session["id"]))[0] != wanted:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)


async def test_any_launcher_answers_and_a_survivor_takes_over(tmp_path: Path, state: str) -> None:
    async with two(tmp_path, state) as (one, other):
        session, ended = await one.client.start("app"), await one.client.start("app")
        for each in (session, ended):
            assert await other.client.ask("GET", each["id"]) == (200, each)
        page = address(other.client, session).replace("ws://", "http://").removesuffix("/ws")
        async with one.client.http.get(f"{page}/wslink/client.js") as response:
            assert response.status == 200
            assert "export" in await response.text()
        direct = await connect(address(one.client, session), secret="the secret")
        through = await connect(address(other.client, session), secret="the secret")
        assert await through.call("size", bytes(100_000)) == await direct.call("size", bytes(100_000))

        assert (await other.client.ask("DELETE", ended["id"]))[0] == 200
        assert (await one.client.ask("GET", ended["id"]))[0] == 400
        assert not processes(ended["id"])

        starting = asyncio.gather(one.client.post("hanging"), return_exceptions=True)
        await until(lambda: len(processes()) == 2)
        await one.kill()
        await starting
        # What was passed to the session goes on; what the dead launcher carried comes back through the survivor.
        assert await direct.call("size", b"12") == 2
        await answers(other.client, session, 200)
        await until(lambda: len(processes()) == 1)  # nobody waits for what had not become ready
        assert await asyncio.wait_for(through.call("size", b"123"), 10) == 3
        assert (await other.client.ask("DELETE", session["id"]))[0] == 200
        assert not processes()
        await direct.close()
        await through.close()


async def test_limits_hold_across_launchers(tmp_path: Path, state: str) -> None:
    async with two(tmp_path, state, sessions_per_client=2, starts_per_minute=10) as (one, other):
        asked = [each.client.post("good", FROM) for each in (one, other) * 3]
        answered = await asyncio.gather(*asked)
        started = [session for status, session in answered if status == 200]
        assert sorted(status for status, _ in answered) == [200, 200, 429, 429, 429, 429]
        assert (await other.client.ask("DELETE", started[0]["id"]))[0] == 200
        assert (await one.client.post("good", FROM))[0] == 200
        assert "sessions_per_client" in (await other.client.post("good", FROM))[1]["error"]


async def test_starts_within_a_minute_are_counted_together(tmp_path: Path, state: str) -> None:
    async with (
        launching(tmp_path / "one", state=state, launcher="one", starts_per_minute=2) as one,
        launching(tmp_path / "two", state=state, launcher="two", starts_per_minute=2) as two,
    ):
        for each in (one, two):
            _, session = await each.post("good", FROM)
            assert (await each.ask("DELETE", session["id"]))[0] == 200
        for each in (one, two):
            status, answer = await each.post("good", FROM)
            assert status == 429
            assert "starts_per_minute" in answer["error"]


@pytest.mark.filterwarnings("ignore:subprocess .* is still running")
async def test_a_launcher_that_was_away_leaves_what_others_have_by_now(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wslink.launcher.stores.redis.LEASE", 0.8)
    monkeypatch.setattr("wslink.launcher.sharing.INTERVAL", 0.1)
    port = free_port()
    back = asyncio.Event()

    async def stands_still(own: object) -> Changes:
        await back.wait()
        return Changes()

    async with (
        launching(tmp_path / "one", state=state, launcher="one") as one,
        launching(tmp_path / "two", state=state, launcher="two", launcher_url=f"http://127.0.0.1:{port}") as two,
    ):
        session = await one.start("good")
        with monkeypatch.context() as away:
            away.setattr(one.launcher.store, "look", stands_still)
            await until(lambda: session["id"] in two.launcher.sessions)
        back.set()
        await until(lambda: not one.launcher.sessions)
        assert one.free_ports() == 4
        assert (await one.ask("GET", session["id"]))[0] == 502  # it leads to the other
        assert await two.ask("GET", session["id"]) == (200, session)
        assert len(processes(session["id"])) == 1


async def test_a_launcher_that_stops_leaves_kept_sessions_to_others(tmp_path: Path, state: str) -> None:
    async with two(tmp_path, state, keep_sessions=True) as (one, other):
        session = await one.client.start("good")
        await one.terminate()
        await answers(other.client, session, 200, patience=3)
        assert (await other.client.ask("DELETE", session["id"]))[0] == 200


async def test_a_restarted_launcher_finds_its_own_at_once(tmp_path: Path, state: str) -> None:
    launcher = LauncherProcess(tmp_path, state=state, launcher="only")
    client = await launcher.start()
    session = await client.start("good")
    await launcher.kill()
    async with asyncio.timeout(5):
        again = await launcher.start()
    assert await again.ask("GET", session["id"]) == (200, session)
    await launcher.terminate()
    for each in (client, again):
        await each.http.close()


async def test_the_state_may_be_away_and_lose_its_memory(tmp_path: Path) -> None:
    server = Server("redis", tmp_path)
    state = f"redis://127.0.0.1:{server.port}"
    try:
        async with (
            launching(tmp_path / "one", state=state, launcher="one", launcher_url="http://127.0.0.1:1") as one,
            launching(tmp_path / "two", state=state, launcher="two") as two,
        ):
            session = await one.start("good")
            server.stop()
            assert await one.ask("GET", session["id"]) == (200, session)
            status, answer = await one.post("good", FROM)
            assert status == 503
            assert "state" in answer["error"]
            assert (await two.ask("GET", session["id"]))[0] == 503
            server.start()
            # It is known again: the launcher that has it is asked, at an address where this test has nothing.
            await answers(two, session, 502)
            assert (await one.ask("DELETE", session["id"]))[0] == 200
            await answers(two, session, 400)
    finally:
        server.stop()


async def test_two_of_one_name_are_refused(tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslink.launcher.stores.redis.LEASE", 1.0)
    async with launching(tmp_path / "one", state=state, launcher="same"):
        with pytest.raises(UsageError, match="another launcher has the name same"):
            async with launching(tmp_path / "two", state=state, launcher="same"):
                pass


@pytest.mark.parametrize("url", ["postgresql://localhost/x", "redis:", "file"])
def test_another_kind_of_state_is_a_problem_of_the_configuration(tmp_path: Path, url: str) -> None:
    from tests.launcher.support import configuration

    with pytest.raises(ConfigurationError, match="redis://HOST"):
        convert(configuration(tmp_path, state=url))


async def test_a_file_may_be_named_as_an_address(tmp_path: Path) -> None:
    async with launching(tmp_path, state=f"sqlite:///{tmp_path}/sessions.db") as running:
        await running.start("good")
        assert (tmp_path / "sessions.db").exists()


async def test_the_documented_settings_hold(tmp_path: Path, server: Server) -> None:
    text = block("docs/launcher.md", "toml", 4)
    text = text.replace("10.0.0.2:6379", f"127.0.0.1:{server.port}")
    (tmp_path / "part.toml").write_text(text)
    settings = read_source(tmp_path / "part.toml").data["configuration"]
    async with (
        launching(tmp_path / "one", **settings) as one,
        launching(tmp_path / "two", state=settings["state"]) as two,
    ):
        session = await one.start("good")
        place = await two.launcher.store.find(session["id"])
        assert place == Place("east", "http://10.0.0.5:9000", alive=True)
