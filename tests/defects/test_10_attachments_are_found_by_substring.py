"""Defect 10: text that contains an attachment's key pulls the attachment."""

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect, first_generation
from ..released.serving import Protocol, serving

pytestmark = first_generation


class Attaching(LinkProtocol):
    @register("attach.last")
    def last(self):
        return [self.addAttachment(bytes([number])) for number in range(11)][-1]

    @register("attach.chat")
    def chat(self):
        self.addAttachment(b"secret")
        return " ".join(f"I like wslink_bin{number}." for number in range(3))


@defect(10, released=("1.12.4",))
async def test_a_key_is_no_prefix_of_another():
    async with serving(Protocol(Attaching())) as running:
        peer = await running.connect("first")
        assert await peer.call("attach.last") == bytes([10])
        assert peer.attachments_seen == 1


@defect(10, released=("1.12.4",))
async def test_chat_stays_text():
    async with serving(Protocol(Attaching())) as running:
        peer = await running.connect("first")
        assert await peer.call("attach.chat") == "I like wslink_bin0. I like wslink_bin1. I like wslink_bin2."
        assert peer.attachments_seen == 0
