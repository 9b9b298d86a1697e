"""Defect 5: every incoming payload is deep-copied for a debug log that is off."""

import copy
import logging

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.serving import Protocol, serving


class Echo(LinkProtocol):
    @register("test.size")
    def size(self, value):
        return len(value)


@defect(5)
async def test_no_copy_is_made(monkeypatch):
    copied, deepcopy = [], copy.deepcopy

    def counting(value, *args):
        copied.append(value)
        return deepcopy(value, *args)

    assert not logging.getLogger("wslink.protocol").isEnabledFor(logging.DEBUG)
    async with serving(Protocol(Echo())) as running:
        peer = await running.connect()
        monkeypatch.setattr(copy, "deepcopy", counting)
        assert await peer.call("test.size", ["x"] * 1000) == 1000
        assert copied == []
