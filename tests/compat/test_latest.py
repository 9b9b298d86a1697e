"""Topics of an application of the released API of which only the newest waits."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, UsageError, server
from wslink.compat.hosting import host_of
from wslink.compat.websocket import LinkProtocol, ServerProtocol

PUSH = "viewport.image.push.subscription"
PICTURE = bytes(24 * 1024 * 1024)


async def published(peer: Peer, seconds: float = 0.5) -> list[Any]:
    """The payloads that come until nothing does for a while."""
    found = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            found.append((await asyncio.wait_for(peer.publication(), seconds))["result"])
    return found


async def pushed(serve: Serve, peers: Open, generation: int = 2, **settings: Any) -> list[tuple[Any, int]]:
    """Views and numbers of the images that reach a released client that reads none until all are pushed."""
    app, link = App(secret="secret"), LinkProtocol()
    app.include(link)
    peer = await peers(await serve(app, **settings), generation, hello={})
    for number in range(8):
        for view in (1, "1", [1]):
            link.publish(PUSH, {"id": view, "number": number, "image": PICTURE if not number else b"small"})
    return [(found["id"], found["number"]) for found in await published(peer)]


async def test_everything_waits_unless_it_is_named(serve: Serve, peers: Open) -> None:
    assert len(await pushed(serve, peers)) == 24


@pytest.mark.parametrize("generation", [1, 2])
async def test_the_newest_of_each_value_waits(serve: Serve, peers: Open, generation: int) -> None:
    found = await pushed(serve, peers, generation, latest=f"other.topic, {PUSH}:id")
    assert len(found) < 9
    newest = {repr(view): number for view, number in found}
    assert newest == {"1": 7, "'1'": 7, "[1]": 7}


async def test_the_environment_names_them(serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLINK_LATEST", PUSH)
    found = await pushed(serve, peers)
    assert len(found) < 5
    assert found[-1] == ([1], 7)


@pytest.mark.parametrize("text", ["no topic", "a.b:", ":id", "a..b"])
async def test_what_is_no_topic_is_refused(app: App, text: str) -> None:
    with pytest.raises(UsageError, match="latest"):
        await app.serve(port=0, latest=text)


async def test_what_the_application_says_of_its_topic_counts(
    app: App, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    app.topic("a.topic")
    await serve(app, latest="a.topic")
    assert "a.topic" in caplog.text
    assert app.topic("a.topic").delivery == "reliable"


async def test_options_of_a_released_server_name_them() -> None:
    options, protocol = argparse.Namespace(port=0, host="127.0.0.1", latest=f"{PUSH}:id"), ServerProtocol()
    server.start_webserver(options, lambda: protocol, disableLogging=True, exec_mode="coroutine").close()
    assert host_of(protocol).hub.subscriptions.topics[PUSH].delivery == "latest"
