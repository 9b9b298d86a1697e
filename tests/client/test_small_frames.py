"""The smallest frames that a server may be told to keep to: everything is cut, the response to hello, too."""

from __future__ import annotations

from tests.client.reconnecting import Connect
from tests.conftest import Serve
from wslink import App, Limits
from wslink.wire.limits import MIN_MSG_SIZE


async def test_a_session_begins_and_goes_on_in_the_smallest_frames(serve: Serve, linked: Connect) -> None:
    """HELLO-2, G2-5, RES-2."""
    app = App(secret="secret", limits=Limits(max_msg_size=MIN_MSG_SIZE))
    app.method("test.echo")(lambda value: value)
    each = await linked(await serve(app), limits=Limits(max_msg_size=MIN_MSG_SIZE))
    assert await each.link.call("test.echo", "x" * 1000) == "x" * 1000
    each.line.cut()
    assert (await each.returned()).resumed
    assert await each.link.call("test.echo", "y" * 1000) == "y" * 1000
