"""Protocols of the released API inside an App."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Open, Serve
from wslink import App, Call, UsageError, register
from wslink.websocket import LinkProtocol, ServerProtocol


class Old(LinkProtocol):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def onConnect(self, request: Any, client_id: str) -> None:
        self.heard.append(f"connect {request.path}")

    def onClose(self, client_id: str) -> None:
        self.heard.append("close")

    @register("old.echo")
    def echo(self, value: Any = None) -> Any:
        return value

    @register("old.publish")
    def tell(self) -> None:
        self.publish("old.topic", self.addAttachment(b"old"))


async def test_old_and_new_methods_live_in_one_server(app: App, serve: Serve, peers: Open) -> None:
    app.include(old := Old())
    app.method("new.echo")(lambda value: value)
    url = await serve(app)
    for generation in (1, 2):
        peer = await peers(url, generation, hello={"secret": "secret"})
        assert (await peer.call("old.echo", [1]))["result"] == [1]
        assert (await peer.call("new.echo", [2]))["result"] == [2]
        assert (await peer.call("old.publish"))["result"] is None
        assert (await peer.publication())["result"] == b"old"
    assert old.heard == ["connect /ws"] * 2


async def test_a_server_protocol_brings_its_link_protocols(app: App, serve: Serve, peers: Open) -> None:
    class Whole(ServerProtocol):
        def initialize(self) -> None:
            self.registerLinkProtocol(Old())

    app.include(whole := Whole())
    app.include(Old())
    assert len(whole.getLinkProtocols()) == 3
    peer = await peers(await serve(app), hello={"secret": "secret"})
    assert (await peer.call("old.echo", 1))["result"] == 1
    assert whole.network_monitor.pending >= 0
    with pytest.raises(UsageError, match="one ServerProtocol"):
        app.include(ServerProtocol())


async def test_the_apps_exit_is_the_servers(app: App, serve: Serve, peers: Open) -> None:
    app.include(Old())
    peer = await peers(await serve(app), hello={"secret": "secret"})
    assert (await peer.call("application.exit"))["result"] is None
    assert (await peer.closed())[0] == 1001


def test_a_name_that_is_taken_is_refused(app: App) -> None:
    app.method("old.echo")(lambda: None)
    with pytest.raises(UsageError, match=r"old\.echo"):
        app.include(Old())


async def test_a_protocol_that_validates_decides_who_comes_in(app: App, serve: Serve, peers: Open) -> None:
    class Validating(LinkProtocol):
        async def validateToken(self, token: Any, client_id: str) -> bool:
            return bool(token == "token")

    app.include(Validating())
    peer = await peers(await serve(app))
    assert (await peer.hello("secret"))["error"]["code"] == -32000
    assert "result" in await peer.hello("token")


async def test_new_methods_see_the_app(app: App, serve: Serve, peers: Open) -> None:
    app.include(Old())

    @app.method("new.whose")
    def whose(call: Call) -> bool:
        return call.app is app

    peer = await peers(await serve(app), hello={"secret": "secret"})
    assert (await peer.call("new.whose"))["result"] is True
