"""Defect 25: tracebacks are sent to clients, always."""

import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import Failure
from ..released.serving import Protocol, serving


class Failing(LinkProtocol):
    @register("test.fail")
    def fail(self):
        raise ValueError("a reason")


@defect(25)
async def test_a_client_sees_no_traceback(generation):
    async with serving(Protocol(Failing())) as running:
        peer = await running.connect(generation)
        with pytest.raises(Failure) as failure:
            await peer.call("test.fail")
        assert "Traceback" not in repr(failure.value.data) and __file__ not in repr(failure.value.data)
        assert failure.value.data == {"method": "test.fail", "exception": "ValueError('a reason')"}
