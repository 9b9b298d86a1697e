"""What the application lets each client do (AUTH-1 to AUTH-3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import Open, Serve
from wslink import App, Client, Credentials, Identity, UsageError

FEATURES = ["subscribe"]


@pytest.fixture
def tenants() -> App:
    """An App of several tenants: who the client is, and its tenant, is its secret."""
    app = App()

    @app.authenticate
    def check(credentials: Credentials) -> Identity:
        return Identity(str(credentials.secret), {"tenant": str(credentials.secret)})

    @app.method("admin.stop")
    def stop(count: int) -> int:
        return count

    @app.method("test.quick")
    def quick() -> str:
        return "done"

    @app.authorize
    def decide(client: Client, action: str, name: str) -> Any:
        if client.user == "raises":
            raise LookupError("no such tenant")
        if name.startswith("admin."):
            return client.user == "admin"
        return {"tenant": client.attributes["tenant"]} if action == "subscribe" and name.startswith("model.") else True

    return app


async def test_calls_are_refused_before_their_arguments_are_looked_at(serve: Serve, peers: Open, tenants: App) -> None:
    """AUTH-1."""
    url = await serve(tenants)
    ada, admin = [await peers(url, hello={"secret": name, "features": FEATURES}) for name in ("ada", "admin")]
    error = {"code": -32004, "message": "Not authorized", "data": "admin.stop"}
    assert [(await ada.call("admin.stop", *args))["error"] for args in ((1,), ("a", "b"))] == [error, error]
    assert (await ada.call("test.quick"))["result"] == "done"
    assert (await admin.call("admin.stop", 3))["result"] == 3
    unknown = (await ada.call("admin.stops"))["error"]
    assert (unknown["code"], "admin.stop;" in unknown["message"], "mean" in unknown["message"]) == (
        -32601,
        False,
        False,
    )


async def test_a_client_cannot_widen_what_it_may_be_sent(serve: Serve, peers: Open, tenants: App) -> None:
    """AUTH-3."""
    part = tenants.topic("model.part", retain=True)
    part.publish("of eve", {"tenant": "eve", "row": 1})
    ada = await peers(await serve(tenants), hello={"secret": "ada", "features": FEATURES})
    wide: list[Mapping[str, Any] | None] = [
        None,
        {},
        {"tenant": "eve"},
        {"tenant": {"ne": "ada"}},
        {"tenant": ["ada", "eve"]},
        {"or": [{"tenant": "eve"}, {"not": {"row": -1}}]},
        {"not": {"tenant": "ada"}},
        {"and": [{"tenant": "eve"}]},
        {"tenant": {"exists": False}},
        {"row": {"gte": 0}},
    ]
    for definition in wide:
        assert "result" in await ada.subscribe(1, "model.part", definition)
        assert "result" in await ada.subscribe(2, "model.**", definition)
        assert part.publish("of eve", {"tenant": "eve", "row": 1}) == 0
        assert part.publish("of nobody", {"row": 1}) == 0
        assert part.wants({"tenant": "eve", "row": 1}) is False
    assert part.publish("of ada", {"tenant": "ada", "row": 1}) == 1
    assert (await ada.receive())["result"] == "of ada"
    assert part.publish("of ada", {"tenant": "ada", "row": -1}) == 0
    [one, _] = part.subscriptions
    assert one.filter == {"tenant": "ada", "row": {"gte": 0}}


async def test_topics_that_are_refused_are_not_told_of(serve: Serve, peers: Open, tenants: App) -> None:
    """AUTH-2: whether they exist or not, by a pattern or by a released client."""
    secret_, open_ = tenants.topic("admin.log"), tenants.topic("test.topic")
    url = await serve(tenants)
    ada = await peers(url, hello={"secret": "ada", "features": FEATURES})
    error = {"code": -32004, "message": "Not authorized"}
    for name in ("admin.log", "admin.none"):
        assert (await ada.subscribe(1, name))["error"] == {**error, "data": name}
    assert "admin" not in (await ada.subscribe(1, "no.such"))["error"]["message"]
    assert "result" in await ada.subscribe(1, "**")
    released = await peers(url, hello={"secret": "ada"})
    later = tenants.topic("admin.later")
    assert [topic.publish("now") for topic in (secret_, later, open_)] == [0, 0, 2]
    assert (await released.receive())["result"] == "now"
    part = tenants.topic("model.part")
    assert [part.publish(name, {"tenant": name}) for name in ("eve", "ada")] == [0, 2]
    admin = await peers(url, hello={"secret": "admin", "features": FEATURES})
    assert "result" in await admin.subscribe(1, "admin.*")
    assert [topic.publish("now") for topic in (secret_, later, open_)] == [1, 1, 2]


async def test_what_authorize_raises_or_should_not_give_refuses(
    serve: Serve, peers: Open, tenants: App, caplog: pytest.LogCaptureFixture
) -> None:
    tenants.topic("test.topic")
    url = await serve(tenants)
    peer = await peers(url, hello={"secret": "raises", "features": FEATURES})
    assert (await peer.call("test.quick"))["error"]["code"] == -32004
    assert (await peer.subscribe(1, "test.topic"))["error"]["code"] == -32004
    assert "no such tenant" in caplog.text
    verdicts: list[Any] = [1, "yes", {"row": 1}, None, []]

    @tenants.authorize
    def odd(client: Client, action: str, name: str) -> Any:
        return verdicts[-1]

    while verdicts:
        assert (await peer.call("test.quick"))["error"]["code"] == -32004
        verdicts.pop()
        verdicts = verdicts or []
        if not verdicts:
            break
    verdicts = [{"row": {"around": 2}}]
    assert (await peer.subscribe(1, "test.topic"))["error"]["code"] == -32004
    with pytest.raises(UsageError, match="not async"):

        @tenants.authorize
        async def later(client: Client, action: str, name: str) -> bool:
            return True
