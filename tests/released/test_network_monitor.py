"""ServerProtocol.network_monitor."""

import asyncio

import pytest

from wslink import register
from wslink.websocket import LinkProtocol, ServerProtocol

from .package import since_2
from .serving import Protocol, serving

pytestmark = since_2


@pytest.fixture
def monitor():
    return ServerProtocol().network_monitor


def test_it_exists_before_initialize():
    class Early(ServerProtocol):
        def initialize(self):
            self.key = self.network_monitor.add_listener(print, print)
            self.events = self.log_emitter.allowed_events

    early = Early()
    assert early.key is not None
    assert early.events == {"exception", "error", "critical", "info", "debug"}


def test_it_counts(monitor):
    assert monitor.pending == 0
    monitor.on_enter()
    monitor.on_enter("anything", is_="ignored")
    assert monitor.pending == 2
    monitor.on_exit("anything", is_="ignored")
    assert monitor.pending == 1
    monitor.on_exit()
    assert monitor.pending == 0


def test_listeners_hear_the_first_enter_and_the_last_exit(monitor):
    heard = []
    key = monitor.add_listener(lambda: heard.append("enter"), lambda: heard.append("exit"))
    with monitor as same:
        assert same is monitor
        with monitor:
            assert heard == ["enter"]
        assert heard == ["enter"]
    assert heard == ["enter", "exit"]
    monitor.remove_listener(key)
    with monitor:
        pass
    assert heard == ["enter", "exit"]


def test_keys_differ_and_unknown_ones_may_be_removed(monitor):
    assert monitor.add_listener(print, print) != monitor.add_listener(print, print)
    assert monitor.remove_listener(12345) is None


def test_remove_returns_the_pair(monitor):
    assert monitor.remove_listener(monitor.add_listener(print, repr)) == (print, repr)


def test_a_listeners_exception_is_swallowed(monitor):
    monitor.add_listener(lambda: 1 / 0, lambda: 1 / 0)
    with monitor:
        assert monitor.pending == 1
    assert monitor.pending == 0


def test_an_exception_in_the_block_still_exits(monitor):
    with pytest.raises(KeyError), monitor:
        raise KeyError
    assert monitor.pending == 0


async def test_completion_returns_at_once_when_nothing_is_pending(monitor):
    await asyncio.wait_for(monitor.completion(), 1)


async def test_completion_waits_for_the_last_exit(monitor):
    monitor.on_enter()
    monitor.on_enter()
    waiting = asyncio.ensure_future(monitor.completion())
    await asyncio.sleep(0)
    monitor.on_exit()
    monitor.network_call_completed()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    monitor.on_exit()
    await asyncio.wait_for(waiting, 1)


async def test_the_async_block_waits_for_everything(monitor):
    monitor.on_enter()
    asyncio.get_running_loop().call_later(0.01, monitor.on_exit)
    async with monitor as same:
        assert same is monitor and monitor.pending == 2
    assert monitor.pending == 0


async def test_a_publication_is_pending_until_it_is_sent():
    protocol = Protocol(link := LinkProtocol())
    async with serving(protocol) as running:
        peer = await running.connect()
        await protocol.network_monitor.completion()
        link.publish("a.topic", 1)
        assert protocol.network_monitor.pending >= 1
        await protocol.network_monitor.completion()
        assert protocol.network_monitor.pending == 0
        assert await peer.publication("a.topic") == 1


async def test_a_running_call_is_pending():
    class Slow(LinkProtocol):
        def __init__(self):
            super().__init__()
            self.go = asyncio.Event()

        @register("slow.call")
        async def call(self):
            await self.go.wait()

        @register("slow.pending")
        def pending(self):
            return self.coreServer.network_monitor.pending

    protocol = Protocol(slow := Slow())
    async with serving(protocol) as running:
        peer = await running.connect()
        assert await peer.call("slow.pending") >= 1
        await protocol.network_monitor.completion()
        assert protocol.network_monitor.pending == 0
        call = await peer.post("slow.call")
        while not protocol.network_monitor.pending:
            await asyncio.sleep(0)
        slow.go.set()
        await peer.answer(call)
        await asyncio.wait_for(protocol.network_monitor.completion(), 1)
