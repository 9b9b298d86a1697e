"""Defect 2: the publish queue has no bound, and a publication is encoded once per client."""

import asyncio
from pathlib import Path

import pytest

from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.programs import port_of
from ..released.serving import Process, Protocol, Visit, serving

BURST = """
from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

class Burst(LinkProtocol):
    @register("burst.publish")
    def burst(self, count, size):
        self.before = peak()
        image = bytes(size)
        for number in range(count):
            self.publish("a.frame", {"number": number, "image": self.addAttachment(image)})

    @register("burst.grown")
    def grown(self):
        return peak() - self.before

class App(ServerProtocol):
    def initialize(self):
        self.registerLinkProtocol(Burst())
        self.updateSecret("wslink-secret")

    def port_callback(self, port):
        print("port", port, "end", flush=True)

server.start(protocol=App)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
@defect(2)
async def test_a_publication_is_encoded_once_for_all_clients():
    """40 publications of 1 MB to six clients that read: 40 MB wait at most, 240 where each client has its own."""
    with Process(BURST, "--port", "0") as process:
        port = await asyncio.to_thread(port_of, process)
        async with Visit(port) as visit:
            peers = [await visit.connect() for _ in range(6)]
            await peers[0].call("burst.publish", 40, 10**6)
            for _ in range(40):
                for peer in peers:
                    await peer.publication("a.frame")
            assert await peers[0].call("burst.grown") < 120


@defect(2)
async def test_a_client_that_falls_behind_too_far_is_dropped(monkeypatch):
    """LIM-6: more than `max_backlog` waiting for one client, here 64 MiB, ends that client's connection."""
    monkeypatch.setenv("WSLINK_MAX_BACKLOG", str(64 << 20))
    dropped = asyncio.Event()

    class Flood(LinkProtocol):
        def onClose(self, client_id):
            dropped.set()

    async with serving(Protocol(link := Flood())) as running:
        stalled = await running.connect()
        for _ in range(120):
            link.publish("a.frame", link.addAttachment(bytes(10**6)))
            await asyncio.sleep(0)
        await soon(dropped.wait(), "the end of the connection with 120 MB waiting", 2)
        assert stalled.unclaimed == []
