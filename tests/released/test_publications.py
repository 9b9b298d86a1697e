"""publish: who gets what, and in which order."""

import asyncio
import re

import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from .package import RELEASED, VERSION
from .serving import Protocol, serving

#: What released JavaScript clients demand of an id.
ID = re.compile(r"^(rpc|publish|system):(\w+(?:\.\w+)*):(?:\d+)$")


class Publisher(LinkProtocol):
    @register("pub.echo")
    def echo(self, value=None):
        return value

    @register("pub.now")
    def now(self, count=1, **options):
        for number in range(count):
            assert self.publish("a.topic", number, **options) is None
        return "result"

    @register("pub.later")
    async def later(self, released):
        self.publish("a.topic", "before")
        await asyncio.sleep(0.02)
        self.publish("a.topic", "after")
        return "result"

    @register("pub.binary")
    def binary(self):
        self.publish("a.topic", {"image": self.addAttachment(b"\xff\xd8"), "id": "1"})


async def test_every_authenticated_client_gets_it_once(generation):
    async with serving(Protocol(link := Publisher())) as running:
        peers = [await running.connect(generation) for _ in range(3)]
        stranger = await running.dial(generation)
        link.publish("a.topic", {"value": [1, 2]})
        for peer in peers:
            assert await peer.publication("a.topic") == {"value": [1, 2]}
            assert await peer.everything("pub.echo") == []
        await stranger.hello()
        assert stranger.unclaimed == []


async def test_the_shape_of_a_publication(generation):
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect(generation)
        link.publish("a.topic", {"value": 1})
        message = await peer.receive()
        assert ID.match(message.pop("id")).group(1, 2) == ("publish", "a.topic")
        assert message == {"wslink": "1.0", "result": {"value": 1}}


async def test_publications_keep_their_order(generation):
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect(generation)
        for number in range(50):
            link.publish("a.topic", number)
        assert await peer.publications(50, "a.topic") == list(range(50))


async def test_what_a_method_publishes_comes_after_its_result(generation):
    async with serving(Protocol(Publisher())) as running:
        peer = await running.connect(generation)
        call = await peer.post("pub.now", 3)
        first = await peer.receive()
        assert (first["id"], first["result"]) == (call, "result")
        assert await peer.publications(3, "a.topic") == [0, 1, 2]


async def test_what_a_method_publishes_before_it_suspends_does_not_wait_for_its_end(generation):
    async with serving(Protocol(Publisher())) as running:
        peer = await running.connect(generation)
        call = await peer.post("pub.later", 0)
        assert (await peer.receive())["result"] == "before"
        rest = [await peer.receive(), await peer.receive()]
        assert sorted(message["result"] for message in rest) == ["after", "result"]
        assert call in [message["id"] for message in rest]


async def test_to_one_client_only(generation):
    async with serving(Protocol(link := Publisher())) as running:
        one, two = await running.connect(generation), await running.connect(generation)
        link.publish("a.topic", "for one", client_id=one.client_id[1:])
        link.publish("a.topic", "for all")
        assert await one.publications(2, "a.topic") == ["for one", "for all"]
        assert await two.publication("a.topic") == "for all"


async def test_to_an_unknown_client_is_nothing():
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect()
        assert link.publish("a.topic", "lost", client_id="nobody") is None
        link.publish("a.topic", "seen")
        assert await peer.publication("a.topic") == "seen"


async def test_to_an_empty_client_id_is_to_all():
    async with serving(Protocol(link := Publisher())) as running:
        peers = [await running.connect() for _ in range(2)]
        link.publish("a.topic", "for all", client_id="")
        assert [await peer.publication("a.topic") for peer in peers] == ["for all"] * 2


async def test_positional_arguments():
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect()
        link.publish("a.topic", 1, peer.client_id[1:], False)
        assert await peer.publication("a.topic") == 1


async def test_the_caller_can_be_left_out():
    async with serving(Protocol(link := Publisher())) as running:
        caller, other = await running.connect(), await running.connect()
        await caller.call("pub.now", 1, skip_last_active_client=True)
        assert await other.publication("a.topic") == 0
        link.publish("a.topic", "last")
        assert await caller.publication("a.topic") == "last"


async def test_without_clients_it_is_nothing():
    async with serving(Protocol(link := Publisher())) as running:
        assert link.publish("a.topic", 1) is None
        peer = await running.connect()
        link.publish("a.topic", 2)
        assert await peer.publication("a.topic") == 2


async def test_nothing_is_published_before_hello():
    async with serving(Protocol(link := Publisher())) as running:
        stranger = await running.dial()
        known = await running.connect()
        link.publish("a.topic", 1)
        assert await known.publication("a.topic") == 1
        await stranger.hello()
        link.publish("a.topic", 2)
        assert await stranger.publication("a.topic") == 2


async def test_attachments(generation):
    async with serving(Protocol(Publisher())) as running:
        caller, other = await running.connect(generation), await running.connect(generation)
        await caller.call("pub.binary")
        for peer in (caller, other):
            assert await peer.publication("a.topic") == {"image": b"\xff\xd8", "id": "1"}


@pytest.mark.skipif(RELEASED, reason="released servers raise ValueError")
@pytest.mark.parametrize("dtype", ["M8[ns]", "M8[D]", "m8[s]", ">M8[ms]"])
async def test_an_array_of_dates_is_an_attachment_of_its_counts(generation, dtype):
    import numpy

    dates = numpy.arange(3, dtype="<i8").astype(dtype)
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect(generation)
        link.publish("a.topic", {"dates": link.addAttachment(dates)})
        assert await peer.publication("a.topic") == {"dates": numpy.arange(3, dtype="<i8").tobytes()}


@pytest.mark.skipif(VERSION.startswith("1."), reason="1.x wants addAttachment")
async def test_bytes_need_no_attachment(generation):
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect(generation)
        link.publish("a.topic", {"image": memoryview(b"\xff\xd8")})
        assert await peer.publication("a.topic") == {"image": b"\xff\xd8"}


async def test_the_server_protocol_publishes_too():
    protocol = Protocol()
    async with serving(protocol) as running:
        peer = await running.connect()
        protocol.publish("a.topic", 1)
        assert await peer.publication("a.topic") == 1


async def test_what_cannot_be_encoded_harms_nobody():
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect()
        link.publish("a.topic", object())
        link.publish("b.topic", "fine")
        assert await peer.publication("b.topic") == "fine"


async def test_publishing_from_a_loop_callback():
    async with serving(Protocol(link := Publisher())) as running:
        peer = await running.connect()
        asyncio.get_running_loop().call_soon(link.publish, "a.topic", 1)
        assert await peer.publication("a.topic") == 1
