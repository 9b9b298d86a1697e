"""What a hub tells of its clients: to its log, to the application's handlers, and to the clients, to the letter."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink import CallError, ClientGone, UsageError
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.features import Feature, Features
from wslink.session.identity import Credentials, Identity, Opening
from wslink.session.observers import Observer
from wslink.wire.limits import Limits

ADA = Identity("ada", {"role": "pilot"})


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    def authenticate(credentials: Credentials) -> Identity:
        return Identity() if credentials.client.get("name") == "nobody" else ADA

    hub = Hub(
        "app", authenticate, Limits(max_clients=2, max_server_backlog=20_000, max_resume=50_000, max_subscriptions=3)
    )
    hub.start()
    hub.service.methods.add(Method("a.echo", lambda value=None: value))
    yield hub
    await hub.stop(0.1)


def told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    names = ("client", "user", "address")
    found = [(one.levelname, one.getMessage(), *(getattr(one, name, None) for name in names)) for one in caplog.records]
    caplog.clear()
    return found


async def test_each_client_is_logged_as_it_comes_and_goes(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wslink")
    calls: list[Any] = []
    for name in ("connect", "disconnect", "detach", "resume"):
        getattr(hub, f"on_{name}").append(lambda id_, name=name: calls.append((name, id_)))
    hub.on_change.append(lambda: calls.append("change"))
    line = Line(hub)
    id_ = line.session.client_id
    resume = line.hello("resume")["result"]["resume"]
    assert told(caplog) == [("INFO", f"client {id_} from 192.0.2.1 connected as ada", id_, "ada", "192.0.2.1")]
    assert calls == ["change", ("connect", id_)]
    line.cut()
    assert told(caplog) == [("INFO", f"client {id_} has lost its connection", id_, "ada", "192.0.2.1")]
    assert hub.clients[id_].address == "192.0.2.1"
    back = Line(hub, "192.0.2.9")
    back.hello("resume", resume={"token": resume["token"]})
    assert hub.clients[id_].address == "192.0.2.9"
    assert told(caplog) == [
        ("INFO", f"client {id_} returns", None, None, None),
        ("INFO", f"client {id_} has returned", id_, "ada", "192.0.2.9"),
    ]
    back.carried.closed(True)
    assert told(caplog) == [("INFO", f"client {id_} disconnected", id_, "ada", "192.0.2.9")]
    names = [one if isinstance(one, str) else one[0] for one in calls]
    assert names == ["change", "connect", "detach", "resume", "change", "disconnect"]
    assert (dict(hub.clients), hub.sessions, hub.connected) == ({}, {}, set())
    nobody = Line(hub, "")
    nobody.hello(client={"name": "nobody"})
    assert told(caplog)[0][1:] == (
        f"client {nobody.session.client_id} from nowhere connected",
        nobody.session.client_id,
        None,
        None,
    )
    early = Line(hub)
    early.cut()
    early_id = early.session.client_id
    assert told(caplog) == [("INFO", f"client {early_id} left before it had authenticated", early_id, None, None)]


async def test_clients_are_shown_and_found(hub: Hub) -> None:
    line, nobody = Line(hub), Line(hub)
    line.hello()
    nobody.hello(client={"name": "nobody"})
    client, other = hub.clients[line.session.client_id], hub.clients[nobody.session.client_id]
    assert repr(client) == f"<Client {client.id} of ada>"
    assert repr(other) == f"<Client {other.id}>"
    assert client.log == {"client": client.id, "user": "ada", "address": "192.0.2.1"}
    assert (client.client_ids, client.attributes, client.waiting) == ((client.id,), {"role": "pilot"}, 0)
    assert list(hub.clients) == [client.id, other.id]
    assert list(hub.clients.items()) == [(client.id, client), (other.id, other)]
    assert list(hub.clients.values()) == [client, other]
    with pytest.raises(KeyError):
        hub.clients["unknown"]
    assert (client.join("g"), client.join("g"), client.groups) == (True, False, ("g",))
    group = hub.community.group("g")
    assert (list(group), len(group), client in group, client.id in group, other in group) == (
        [client],
        1,
        True,
        True,
        False,
    )
    assert repr(group) == "<Group g of 1>"
    assert (client.leave("g"), client.leave("g"), client.groups) == (True, False, ())
    client.join("g")
    client.disconnect("enough")
    assert line.closes == [(4002, "enough")]
    assert (client.join("g"), len(group), hub.knows(client.id), hub.knows(other.id)) == (False, 0, False, True)


async def test_a_client_is_called_or_said_why_not(hub: Hub) -> None:
    line, plain = Line(hub), Line(hub)
    line.hello("handle", "progress")
    plain.hello()
    client, other = hub.clients[line.session.client_id], hub.clients[plain.session.client_id]
    with pytest.raises(CallError) as caught:
        await other.call("a.b")
    assert (caught.value.code, caught.value.message) == (
        -32099,
        f"client {other.id} cannot be called: it did not announce the feature 'handle'",
    )
    for options, why in (
        ({"timeout": -1}, "timeout must be a number of seconds, 0 or more, or None, not -1"),
        ({"timeout": "x"}, "timeout must be a number of seconds, 0 or more, or None, not 'x'"),
        ({"on_progress": 3}, "on_progress must be a function, not 3"),
    ):
        with pytest.raises(UsageError) as refused:
            await client.call("a.b", **options)  # type: ignore[arg-type]
        assert str(refused.value) == why
    progress: list[Any] = []
    line.take()
    calling = asyncio.ensure_future(client.call("a.b", 1, on_progress=progress.append, c=2))
    await asyncio.sleep(0)
    [(_, asked)] = line.take()
    assert asked == {
        "wslink": "1.0",
        "id": "rpc:server:0",
        "progress": True,
        "method": "a.b",
        "args": [1],
        "kwargs": {"c": 2},
    }
    line.give([7, "rpc:server:0", "half"])
    line.give({"id": "rpc:server:0", "result": 5})
    assert (await calling, progress) == (5, ["half"])
    failing = asyncio.ensure_future(client.call("a.b"))
    await asyncio.sleep(0)
    [(_, asked)] = line.take()
    assert "progress" not in asked
    line.give({"id": asked["id"], "error": {"code": 7, "message": "steep", "data": 3}})
    with pytest.raises(CallError) as caught:
        await failing
    assert (caught.value.code, caught.value.message, caught.value.data) == (7, "steep", 3)
    with pytest.raises(TimeoutError) as late:
        await client.call("a.b", timeout=0.01)
    assert str(late.value) == f"a.b: client {client.id} has not answered within 0.01 s"
    pending = asyncio.ensure_future(client.call("a.b"))
    await asyncio.sleep(0)
    line.session.closed(True)
    with pytest.raises(ClientGone):
        await pending
    with pytest.raises(ClientGone):
        await client.call("a.b")


async def test_so_many_calls_of_the_server_wait(hub: Hub) -> None:
    """LIM-20."""
    hub.limits = Limits(max_calls=2)
    line = Line(hub)
    line.hello("handle")
    client = hub.clients[line.session.client_id]
    waiting = [asyncio.ensure_future(client.call("a.b")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CallError) as caught:
        await client.call("a.c")
    assert (caught.value.code, caught.value.data) == (-32003, "a.c")
    assert caught.value.message == f"client {client.id} has not answered 2 calls (max_calls)"
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    again = asyncio.ensure_future(client.call("a.d"))
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_so_many_clients_are_away_at_once(hub: Hub) -> None:
    lines = [Line(hub) for _ in range(3)]
    for line in lines:
        line.hello("resume")
        line.cut()
    away = [line.session.state.name for line in lines]
    assert away == ["CLOSED", "DETACHED", "DETACHED"]


async def test_what_waits_for_all_is_bounded(hub: Hub) -> None:
    """LIM-6."""
    topic = hub.subscriptions.topic("t.a")
    lines = [Line(hub) for _ in range(2)]
    for line in lines:
        line.hello()
        line.writable = False
    lines[0].session.result("rpc:c0:1", "x" * 12_000)
    for _ in range(2):
        topic.publish("x" * 6000)
    await asyncio.sleep(0)
    closed = [line.closes for line in lines]
    assert closed[1] == []
    [(code, why)] = closed[0]
    assert (code, why.startswith("over max_server_backlog (20000 bytes) wait for all clients, ")) == (1008, True)
    assert int(why.split(", ")[1].split()[0]) > 20_000


async def test_subscriptions_are_told_and_bounded(hub: Hub) -> None:
    hub.subscriptions.topic("t.a")
    hub.subscriptions.topic("t.b", "latest")
    line = Line(hub)
    line.hello("subscribe")

    def subscribe(number: int, topic: Any, **more: Any) -> Any:
        return line.system("wslink.subscribe", {"subscription": number, "topic": topic, **more})

    def why(answer: Any) -> Any:
        return answer["error"]["code"], answer["error"]["message"]

    assert subscribe(1, "t.a") == {"result": {"delivery": "reliable"}}
    assert subscribe(2, "t.b") == {"result": {"delivery": "latest"}}
    assert subscribe(3, "t.*") == {"result": {"delivery": "mixed"}}
    assert why(subscribe(4, "t.a")) == (-32003, "over max_subscriptions (3) subscriptions")
    assert why(subscribe(1, "t.b")) == (-32602, "subscription 1 is to topic 't.a', and cannot change to 't.b'")
    assert subscribe(1, "t.a", filter={"x": 1}) == {"result": {"delivery": "reliable"}}
    assert why(line.system("wslink.unsubscribe", {"subscription": 9})) == (-32602, "there is no subscription 9")
    assert line.system("wslink.unsubscribe", {"subscription": 2}) == {"result": None}
    assert why(subscribe(2, "t.c")) == (-32602, "there is no topic 't.c'; topics: t.a, t.b")
    assert why(subscribe(2, 3)) == (-32602, "there is no topic 3: its name is a string")
    assert hub.subscriptions.requests(line.session) == [
        {"subscription": 1, "topic": "t.a", "filter": {"x": 1}, "window": None, "max_rate": None},
        {"subscription": 3, "topic": "t.*", "filter": {}, "window": None, "max_rate": None},
    ]
    seen = list(hub.subscriptions.topics["t.a"].subscriptions)
    assert sorted(repr(one) for one in seen) == sorted(
        f"<Subscription {n} of {line.session.client_id} to t.a {f}>" for n, f in ((1, {"x": 1}), (3, {}))
    )
    assert {(one.quality, one.lag, one.rtt, one.rate, one.dropped, one.window) for one in seen} == {
        (1.0, 0.0, 0.0, 0.0, 0, 0)
    }
    line.take()
    topic = hub.subscriptions.topics["t.a"]
    assert [topic.publish(n, {"x": n}) for n in (1, 2)] == [1, 1]
    assert [(one["result"], one["subscriptions"]) for _, one in line.take()] == [(1, [1, 3]), (2, [3])]
    client = hub.clients[line.session.client_id]
    assert [topic.publish(1, to=client), topic.publish(1, exclude=client), topic.publish(1, to=client.id)] == [1, 0, 1]
    hub.subscriptions.topic("t.d")
    assert hub.subscriptions.topics["t.d"].publish(1) == 1  # SUB-19


async def test_an_observer_that_raises_ends_the_connection(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    class Raising(Observer):
        def opened(self, session: Any, opening: Any) -> None:
            raise ValueError("no")

    hub.observers.add(Raising())
    line = Line(hub)
    assert line.closes == [(1011, "the server failed to take the connection")]
    assert f"client {line.session.client_id}: an observer of new connections raised" in caplog.messages


async def test_a_server_that_stops_takes_nobody(hub: Hub) -> None:
    line = Line(hub)
    line.hello()
    await hub.stop(0.1)
    assert line.closes == [(1001, "the server stops")]
    late = Line(hub)
    late.hello()
    assert late.closes == [(1001, "the server stops")]
    hub.reopen()
    again = Line(hub)
    again.hello()
    assert again.closes == []


def credentials(headers: Any, query: str = "") -> Credentials:
    return Credentials(None, False, "c1", {}, Opening(headers=headers, query=query, same_origin=True, scope={"a": 1}))


class Several(dict[str, str]):
    def getall(self, name: str, default: Any) -> Any:
        return [one for key, one in [("Cookie", "a=1"), ("Cookie", "b=2"), *self.items()] if key == name] or default


def test_what_a_client_brought() -> None:
    given = credentials({"Cookie": ' a=1; b = "x" ;a=2;none; c=d=e', "Sec-WebSocket-Protocol": "v1, ,v2"}, "a=1&b=&a=2")
    assert given.cookies == {"a": "1", "b": "x", "c": "d=e"}
    assert (given.subprotocols, given.query) == (("v1", "v2"), {"a": "2", "b": ""})
    assert (given.same_origin, given.scope, given.address) == (True, {"a": 1}, "")
    several = credentials(Several())
    assert (several.cookies, several.subprotocols) == ({"a": "1", "b": "2"}, ())
    nothing = credentials({})
    assert (nothing.cookies, nothing.subprotocols, nothing.query, nothing.headers) == ({}, (), {}, {})


class Named(Feature):
    def __init__(self, name: str, methods: Any = (), messages: Any = None, versions: Any = (1, 2)) -> None:
        self.name = name
        self.versions = frozenset(versions)
        self._methods, self._messages = dict.fromkeys(methods, self._serve), messages or {}

    def _serve(self, session: Any, request: Any) -> None: ...

    @property
    def methods(self) -> Any:
        return self._methods

    @property
    def messages(self) -> Any:
        return self._messages


def test_features_share_nothing_but_what_takes_a_message() -> None:
    def take(session: Any, items: Any) -> None: ...
    def other(session: Any, items: Any) -> None: ...

    first = Named("first", ["a.b"], {50: take})
    features = Features([first, Named("second", ["a.c"], {50: take}, [2])])
    for feature, why in (
        (Named("first"), "feature 'first' is registered already, or one of its methods or messages: []"),
        (
            Named("third", ["a.c", "a.b"]),
            "feature 'third' is registered already, or one of its methods or messages: ['a.b', 'a.c']",
        ),
        (
            Named("third", [], {50: other}),
            "feature 'third' is registered already, or one of its methods or messages: ['50']",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            features.register(feature)
        assert str(caught.value) == why
    assert features.granted((), 1) == ()
    assert features.granted(("second", "x", "first", "first"), 1) == ("first",)
    assert features.granted(("second", "x", "first"), 2) == ("second", "first")
    assert (
        features.handler("a.b", ("first",)),
        features.handler("a.b", ("second",)),
        features.handler("a.x", ("first",)),
    ) == (
        first._serve,
        None,
        None,
    )
    assert [
        features.message_handler(kind, granted)
        for kind, granted in ((50, ("second",)), (50, ("x",)), (51, ("first",)), ("50", ("first",)), (True, ("first",)))
    ] == [
        take,
        None,
        None,
        None,
        None,
    ]
