"""WSLINK_APPLICATION_THREAD=1: applications of the released API on their own event loop, their clients on another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import wslink
from tests.conftest import Open
from wslink import register
from wslink.compat.abstract_app import AbstractWebApp
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol, ServerProtocol

HELLO = {"secret": "secret"}


class Old(LinkProtocol):
    """Methods of the released API, and what they saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self.free = threading.Event()
        self.began = threading.Event()

    def note(self, what: str) -> None:
        self.seen.append((what, threading.current_thread().name))

    def onConnect(self, request: Any, client_id: str) -> None:
        self.note("onConnect")

    def onClose(self, client_id: str) -> None:
        self.note("onClose")

    @register("test.block")
    def block(self) -> str:
        self.publish("test.topic", "before")
        self.began.set()
        return "free" if self.free.wait(10) else "forgotten"

    @register("test.where")
    def where(self) -> str:
        return threading.current_thread().name

    @register("test.later")
    async def later(self) -> str:
        self.publish("test.topic", "later")
        await asyncio.sleep(0)
        assert self.coreServer is not None
        return threading.current_thread().name


class Served:
    """A server of the aiohttp backend on an event loop in a thread of its own."""

    def __init__(self, protocol: ServerProtocol, **config: Any) -> None:
        self.protocol = protocol
        self.port = 0
        self.server: AbstractWebApp
        self.loop: asyncio.AbstractEventLoop
        self._config = {"port": 0, "host": "127.0.0.1", "ws": {"ws": protocol}, "handle_signals": False, **config}
        self._ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="application", daemon=True)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = create_webserver(self._config)
        await self.server.start(self._began)

    def _began(self, port: int) -> None:
        assert threading.current_thread().name == "application"
        self.port = port
        self._ready.set()

    async def __aenter__(self) -> Served:
        self.thread.start()
        assert await asyncio.to_thread(self._ready.wait, 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop)
        await asyncio.to_thread(self.thread.join, 10)
        assert not self.thread.is_alive()
        assert not any(thread.name == "wslink_io" for thread in threading.enumerate())


@pytest.fixture
def old() -> Old:
    return Old()


@pytest.fixture
def protocol(old: Old, monkeypatch: pytest.MonkeyPatch) -> ServerProtocol:
    monkeypatch.setenv("WSLINK_APPLICATION_THREAD", "1")
    found = ServerProtocol()
    found.updateSecret("secret")
    found.registerLinkProtocol(old)
    return found


@pytest.fixture
async def served(protocol: ServerProtocol) -> AsyncIterator[Served]:
    async with Served(protocol) as found:
        yield found


@pytest.mark.parametrize("generation", [1, 2])
async def test_methods_and_what_is_heard_of_clients_run_on_the_applications_loop(
    served: Served, old: Old, peers: Open, generation: int
) -> None:
    peer = await peers(f"ws://127.0.0.1:{served.port}/ws", generation, hello=HELLO)
    for method in ("test.where", "test.later"):
        assert (await peer.call(method))["result"] == "application"
    assert [publication["result"] for publication in peer.publications] == ["later"]
    await peer.close()
    while len(old.seen) < 2:
        await asyncio.sleep(0.01)
    assert old.seen == [("onConnect", "application"), ("onClose", "application")]


async def test_a_method_that_blocks_keeps_no_client_waiting(served: Served, old: Old, peers: Open) -> None:
    url = f"ws://127.0.0.1:{served.port}/ws"
    peer = await peers(url, hello=HELLO)
    id_ = await peer.start("test.block")
    assert await asyncio.to_thread(old.began.wait, 5)
    assert (await peer.receive())["result"] == "before"
    other = await peers(url, hello=HELLO)
    where = await other.start("test.where")
    old.free.set()
    assert (await peer.answer(id_))["result"] == "free"
    assert (await other.answer(where))["result"] == "application"
    assert [what for what, _ in old.seen] == ["onConnect", "onConnect"]


async def test_on_connect_may_refuse_and_validate_token_decides(protocol: ServerProtocol, peers: Open) -> None:
    class Strict(LinkProtocol):
        def onConnect(self, request: Any, client_id: str) -> None:
            if "refuse" in request.query_string:
                raise ValueError("refused")

        async def validateToken(self, token: Any, client_id: str) -> bool:
            await asyncio.sleep(0)
            return token == threading.current_thread().name

    protocol.registerLinkProtocol(Strict())
    async with Served(protocol) as served:
        url = f"ws://127.0.0.1:{served.port}/ws"
        peer = await peers(url, hello={"secret": "application"})
        assert (await peer.call("test.where"))["result"] == "application"
        wrong = await peers(url)
        assert "error" in await wrong.hello("secret")
        refused = await peers(url + "?refuse")
        with pytest.raises(ConnectionError, match="closed 1011"):
            await refused.receive()


async def test_the_network_monitor_counts_on_the_applications_loop(
    served: Served, old: Old, protocol: ServerProtocol, peers: Open
) -> None:
    peer = await peers(f"ws://127.0.0.1:{served.port}/ws", hello=HELLO)
    threads: set[str] = set()
    protocol.network_monitor.add_listener(
        lambda: threads.add(threading.current_thread().name), lambda: threads.add(threading.current_thread().name)
    )

    async def publish() -> int:
        old.publish("test.topic", bytes(8 << 20))
        pending = protocol.network_monitor.pending
        await asyncio.wait_for(protocol.network_monitor.completion(), 5)
        return pending

    publishing = asyncio.run_coroutine_threadsafe(publish(), served.loop)
    assert len((await peer.receive())["result"]) == 8 << 20
    assert await asyncio.wrap_future(publishing) >= 1
    assert (await peer.call("test.later"))["result"] == "application"
    await asyncio.sleep(0.05)
    assert protocol.network_monitor.pending == 0
    assert threads == {"application"}


async def test_a_client_ends_the_server(protocol: ServerProtocol) -> None:
    async with Served(protocol) as served:
        async with wslink.connect(f"ws://127.0.0.1:{served.port}/ws", secret="secret", reconnect=False) as link:
            asyncio.ensure_future(link.call("application.exit")).add_done_callback(lambda done: done.exception())
            assert (await asyncio.wait_for(link.wait_closed(), 5)).code == 1001
        await asyncio.to_thread(served.thread.join, 5)
        assert await asyncio.to_thread(lambda: not served.thread.is_alive())


async def test_a_port_in_use_raises_and_idle_servers_stop(protocol: ServerProtocol, served: Served) -> None:
    other = ServerProtocol()
    taken = create_webserver({"port": served.port, "host": "127.0.0.1", "ws": {"ws": other}, "handle_signals": False})
    with pytest.raises(OSError, match=str(served.port)):
        await taken.start()
    idle = create_webserver(
        {"port": 0, "host": "127.0.0.1", "ws": {"ws": ServerProtocol()}, "timeout": 1, "handle_signals": False}
    )
    await asyncio.wait_for(idle.start(), 5)
    assert await asyncio.wait_for(idle.completion, 1) is True
