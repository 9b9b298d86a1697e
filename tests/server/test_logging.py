"""What servers log: who came, who was refused and why, in text or JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open, Serve
from tests.server.test_life import command, lines_until_serving
from wslink import App
from wslink.hub import authentication
from wslink.hub.authentication import Authentication
from wslink.session.identity import ANONYMOUS, Credentials, Opening

DOCS = Path(__file__).parent.parent.parent / "docs"


async def test_a_wrong_secret_is_logged_with_the_address(app: App, serve: Serve, peers: Open, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "wslink")
    peer = await peers(await serve(app))
    await peer.hello("a guess")
    await peer.hello(...)
    await peer.close()
    while "left before it had authenticated" not in caplog.text:
        await asyncio.sleep(0.01)
    assert re.search(r"client c\w+ from 127.0.0.1 was refused: its secret is wrong \(1 of", caplog.text)
    assert re.search(r"client c\w+ from 127.0.0.1 was refused: it showed no secret", caplog.text)
    assert "a guess" not in caplog.text
    refused = [record for record in caplog.records if "refused" in record.getMessage()]
    assert {(record.levelname, record.address) for record in refused} == {("WARNING", "127.0.0.1")}


@pytest.mark.parametrize(
    "arguments", [[], ["text"], [{"secret": "guess"}], [{"secret": "guess", "features": 5}], [{"secret": ["guess"]}]]
)
@pytest.mark.parametrize("generation", [1, 2])
async def test_a_connection_has_ten_hellos(
    app: App, serve: Serve, peers: Open, caplog: Any, arguments: list[Any], generation: int
) -> None:
    peer = await peers(await serve(app), generation)
    for number in range(10):
        await peer.send({"wslink": "1.0", "id": f"system:c0:{number}", "method": "wslink.hello", "args": arguments})
        assert "error" in await peer.receive()
    assert (await peer.closed())[0] == 1008
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) >= 10


async def test_a_client_is_logged_from_its_coming_to_its_going(
    app: App, serve: Serve, peers: Open, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "wslink")
    peer = await peers(await serve(app), hello={"secret": "secret"})
    await peer.close()
    while "disconnected" not in caplog.text:
        await asyncio.sleep(0.01)
    records = [record for record in caplog.records if getattr(record, "client", "") == peer.client_id]
    assert [record.getMessage().split()[-1] for record in records] == ["connected", "disconnected"]


def brought(secret: str, address: str) -> Credentials:
    return Credentials(secret, True, "c1", {}, Opening(address=address))


async def test_an_address_that_guesses_has_to_wait_and_others_do_not() -> None:
    now = 0.0
    entry = Authentication(lambda credentials: ANONYMOUS if credentials.secret == "right" else None, lambda: now)
    for _ in range(authentication.FREE_REFUSALS):
        assert entry.admit(brought("wrong", "10.0.0.7")) is None
    assert entry.admit(brought("right", "10.0.0.8")) is ANONYMOUS
    waiting: list[Any] = [asyncio.ensure_future(entry.admit(brought("right", "10.0.0.7"))) for _ in range(40)]  # type: ignore[arg-type]
    at_once = [task for task in waiting if (await asyncio.wait({task}, timeout=0.001))[0]]
    assert 18 <= len(at_once) <= 22  # refused without a look
    assert {task.result() for task in at_once} == {None}
    assert await waiting[0] is ANONYMOUS
    now = authentication.FORGET_AFTER * 2
    assert entry.admit(brought("right", "10.0.0.7")) is ANONYMOUS
    for task in waiting:
        task.cancel()


async def test_who_shares_a_proxys_address_with_one_who_guesses_comes_in_later(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "SPACING", 0.02)
    monkeypatch.setattr(authentication, "LONGEST_WAIT", 0.2)
    url = await serve(app)
    for _ in range(4):
        peer = await peers(url)
        for _ in range(5):
            await peer.hello("a guess")
    async with wslink.connect(url, secret="secret") as link:
        assert link.client_id in app.clients


async def test_few_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "MAX_ADDRESSES", 10)
    entry = Authentication(lambda credentials: None)
    for number in range(100):
        entry.admit(brought("wrong", f"10.0.0.{number}"))
    assert len(entry._records) == 10


VIEWER = "from wslink import App\napp = App(secret='secret')\n"


@pytest.mark.parametrize("format_", ["text", "json"])
async def test_lines_have_a_time_and_may_be_json(tmp_path: Path, format_: str) -> None:
    (tmp_path / "viewer.py").write_text(VIEWER)
    flags = ("--log-format", format_, "--log-level", "info")
    with command(tmp_path, "serve", "viewer:app", "--port", "0", *flags) as process:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        with pytest.raises(wslink.AuthenticationError):
            await wslink.connect(url, secret="a guess")
        async with wslink.connect(url, secret="secret") as link:
            client = link.client_id
        process.terminate()
        _, errors = await asyncio.to_thread(process.communicate)
    lines = errors.splitlines()
    if format_ == "text":
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) wslink", line) for line in lines)
        return
    entries = [json.loads(line) for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]) for entry in entries)
    assert {"WARNING", "INFO"} == {entry["level"] for entry in entries}
    assert [entry["address"] for entry in entries if "secret is wrong" in entry["message"]] == ["127.0.0.1"]
    assert any(entry.get("client") == client and "connected" in entry["message"] for entry in entries)


def test_the_docs_list_every_logger() -> None:
    text = (DOCS / "logging.md").read_text()
    for path in (DOCS.parent / "src").rglob("*.py"):
        for name in re.findall(r'(?:getLogger|sparse_logger)\("(wslink[^"]*)"\)', path.read_text()):
            assert f"`{name}`" in text, (path, name)
