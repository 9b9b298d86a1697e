"""What a session tells its client, its log and its observers, to the letter: sessions driven by hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest

from tests.session.driven import Line
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.features import Feature
from wslink.session.identity import Identity
from wslink.session.observers import Observer
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits

SECRET = "s"
NOBODY: Identity | None = None


class Watching(Observer):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def received(self, session: Any, request: Any) -> None:
        self.seen.append(("received", request.method))

    def unknown(self, session: Any, request: Any) -> None:
        self.seen.append(("unknown", request.method))

    def errored(self, session: Any, id_: str, code: int) -> None:
        self.seen.append(("errored", id_, code))

    def delayed(self, session: Any, id_: str, method: str) -> None:
        self.seen.append(("delayed", id_, method))

    def queued(self, session: Any) -> None:
        self.seen.append("queued")

    def settled(self, session: Any) -> None:
        self.seen.append("settled")

    def closed(self, session: Any) -> None:
        self.seen.append("closed")


class Failing(Feature):
    name = "failing"

    @property
    def methods(self) -> Any:
        return {"failing.now": self._fail}

    def _fail(self, session: Any, request: Any) -> None:
        raise ValueError("unforeseen")


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.fixture
async def hub(watching: Watching) -> AsyncIterator[Hub]:
    limits = Limits(max_malformed=2, max_hellos=2, auth_msg_size=200, hello_timeout=0.02, max_backlog=5000)
    hub = Hub(
        "app",
        lambda given: Identity() if given.secret == SECRET else None,
        limits,
        observers=[watching],
        features=[Failing()],
    )
    hub.start()
    hub.service.methods.add(Method("a.echo", lambda value=None: value))
    hub.service.methods.add(Method("a.object", lambda: object()))
    yield hub
    await hub.stop(0.1)


def open_line(hub: Hub, *features: str) -> Line:
    line = Line(hub)
    assert "result" in line.hello(*features, secret=SECRET)
    return line


def error(code: int, message: str, *data: Any) -> Any:
    return {"error": {"code": code, "message": message, **({"data": data[0]} if data else {})}}


async def test_hello_comes_first(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    line = Line(hub)
    assert line.call("a.echo") == error(-32000, "Unauthorized: Skip message processing")
    assert line.system("wslink.subscribe", {}) == error(-32000, "Unauthorized: Skip message processing")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "wslink"):
        line.give({"id": "system:c0:1", "method": "wslink.hello", "args": [3]})
    assert line.answer("system:c0:1") == error(-32000, "Authentication failed")
    id_ = line.session.client_id
    assert caplog.messages[0] == f"client {id_}: its hello is malformed: Authentication failed"
    assert line.closes == []
    assert line.hello(secret="wrong") == error(-32000, "Authentication failed")
    assert line.closes == [(1008, "2 hellos were refused (max_hellos)")]
    assert caplog.messages[-1] == f"client {id_} is disconnected: 2 hellos were refused (max_hellos)"
    line.hello(secret=SECRET)
    assert len(line.closes) == 1


async def test_so_many_hellos_are_asked_about_at_once(hub: Hub) -> None:
    verdicts: list[asyncio.Future[Any]] = []

    def authenticate(credentials: Any) -> Any:
        verdicts.append(asyncio.get_running_loop().create_future())
        return verdicts[-1]

    hub.authenticate_with(authenticate)
    line = Line(hub)
    for _ in range(3):
        for n in range(2):
            line.give({"id": f"system:c0:{n}", "method": "wslink.hello", "args": [{}]})
        for verdict in verdicts[-2:]:
            verdict.set_result(Identity())
        for _ in range(4):
            await asyncio.sleep(0)
        assert line.closes == []
    assert [one["id"] for _, one in line.take()] == ["system:c0:0", "system:c0:1"] * 3
    for n in range(3):
        line.give({"id": f"system:c0:{n}", "method": "wslink.hello", "args": [{}]})
    assert line.closes == [(1008, "over max_hellos (2) hellos wait for their answer")]


async def test_authentication_that_raises_refuses(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> Identity:
        raise ValueError("later")

    def now() -> Identity:
        raise ValueError("now")

    for fails in (now, later):
        hub.authenticate_with(lambda credentials, fails=fails: fails())  # type: ignore[misc]
        line = Line(hub)
        caplog.clear()
        line.hello()
        await asyncio.sleep(0.001)
        assert line.answer("system:c0:0") == error(-32000, "Authentication failed")
        [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert record.getMessage() == f"client {line.session.client_id}: its authentication raised"
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == fails.__name__


async def test_a_message_before_hello_is_small(hub: Hub) -> None:
    for size, closes in ((200, []), (201, [(1009, "a message before hello is at most auth_msg_size (200) bytes")])):
        line = Line(hub)
        text = msgpack.packb({"id": "rpc:c0:1", "method": "a.echo", "args": [b"x" * 100]})
        text = msgpack.packb({"id": "rpc:c0:1", "method": "a.echo", "args": [b"x" * (100 + size - len(text))]})
        assert len(text) == size
        line.session.receive(True, HEADER.pack(1, 0, size) + text)
        assert line.closes == closes
        assert (line.answer("rpc:c0:1") is None) == bool(closes)
    line = Line(hub)
    line.session.receive(True, HEADER.pack(1, 0, 201) + b"x")
    assert line.closes == closes


async def test_a_hello_comes_in_time(hub: Hub) -> None:
    late, good, kept = Line(hub), open_line(hub), Line(hub, hello_timeout=False)
    await asyncio.sleep(0.15)
    assert late.closes == [(1008, "no good hello within hello_timeout (0.02 s)")]
    assert (good.closes, kept.closes) == ([], [])
    kept.session.expect_hello()
    await asyncio.sleep(0.15)
    assert kept.closes == late.closes


async def test_malformed_messages_are_answered_and_counted(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    line = open_line(hub)
    line.take()
    with caplog.at_level(logging.WARNING, "wslink"):
        line.give(7)
        line.give({"id": "rpc:c0:9", "method": 3})
    [(_, first), (_, second)] = line.take()
    malformed = "a message must be a map, not a number"
    assert (first["id"], first["error"]) == ("system:malformed:0", {"code": -32600, "message": malformed})
    assert second == {"wslink": "1.0", "id": "rpc:c0:9", **error(-32600, "'method' must be a string, not a number")}
    id_ = line.session.client_id
    assert caplog.messages == [f"client {id_}: {malformed}", f"client {id_}: 'method' must be a string, not a number"]
    assert line.call("a.echo", 5) == {"result": 5}
    assert line.closes == []
    line.give([99])
    [(_, answer)] = line.take()[1:]
    assert answer["error"] == {
        "code": -32600,
        "message": "a message must be a map, or of an extension that was accepted",
    }
    assert line.closes == [(1008, "over max_malformed (2) malformed messages")]


@pytest.mark.parametrize("data", [b"abc", HEADER.pack(1, 0, 1) + b"\xc1"], ids=len)
async def test_a_frame_that_cannot_be_read_is_answered(hub: Hub, data: bytes) -> None:
    line = open_line(hub)
    line.take()
    line.session.receive(True, data)
    [(_, answer)] = line.take()
    assert (answer["id"], answer["error"]["code"]) == ("system:malformed:0", -32700)


async def test_methods_that_there_are_not(hub: Hub, watching: Watching) -> None:
    line, plain = open_line(hub, "subscribe"), open_line(hub)
    assert line.call("a.ecko") == error(-32601, "Unregistered method called: 'a.ecko'; did you mean a.echo?", "a.ecko")
    long = "x" * 1025
    assert line.call(long)["error"]["data"] == long[:1024]
    assert plain.call("a.ecko") == error(-32601, "Unregistered method called", "a.ecko")
    assert line.system("a.echo") == error(-32601, "Unknown system method called", "a.echo")
    assert line.system(long)["error"]["data"] == long[:1024]
    assert [one for one in watching.seen if one[0] == "unknown"] == [
        ("unknown", one) for one in ("a.ecko", long, "a.ecko")
    ]
    assert line.system("wslink.subscribe", 3) == error(-32602, "wslink.subscribe takes one map", "wslink.subscribe")
    assert line.system("wslink.unsubscribe") == error(-32602, "wslink.unsubscribe takes one map", "wslink.unsubscribe")


async def test_what_nobody_foresaw_is_an_error_of_its_request(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    line = open_line(hub, "failing")
    with caplog.at_level(logging.ERROR, "wslink"):
        line.call("failing.now", id_="system:c0:7")
    assert line.answer("system:c0:7") == error(-32603, "Internal error")
    assert caplog.messages == [f"client {line.session.client_id}: the call system:c0:7 of failing.now failed"]


async def test_a_result_that_cannot_be_sent(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    line = open_line(hub)
    assert line.call("a.object") == error(-32002, "Method result cannot be serialized", "a.object")
    why = (
        "a value of type object cannot be sent; "
        "make it a dataclass, or send a dict, a list, a number or text in its place"
    )
    assert caplog.messages == [f"the result of a.object cannot be sent: {why}"]
    caplog.clear()
    line.session.error("rpc:c0:7", 5, "why", object())
    why = why.replace("object", "object at data")
    assert line.answer("rpc:c0:7") == error(5, "why", f"the data of this error cannot be sent: {why}")
    assert caplog.messages == [f"an error cannot be sent as it is: {why}"]
    line.session.error("rpc:c0:8", 2**60, "half \ud800")
    assert line.answer("rpc:c0:8") == error(-32001, "half \\ud800")
    encoded = line.session.encoded("rpc:c0:9", object(), "a.object")
    line.session.result("rpc:c0:9", encoded)
    assert line.answer("rpc:c0:9") == error(-32002, "Method result cannot be serialized", "a.object")
    assert line.session.encoded("rpc:c0:9", encoded, "a.b") is encoded


async def test_what_waits_is_told_and_goes_in_order(hub: Hub, watching: Watching) -> None:
    line = open_line(hub)
    line.take()
    watching.seen.clear()
    line.writable = False
    line.call("a.echo", 1, id_="rpc:c0:a")
    line.call("a.none", id_="rpc:c0:b")
    assert watching.seen == [
        ("received", "a.echo"),
        "queued",
        ("delayed", "rpc:c0:a", "a.echo"),
        ("received", "a.none"),
        ("unknown", "a.none"),
        ("errored", "rpc:c0:b", -32601),
        "queued",
        ("delayed", "rpc:c0:b", ""),
    ]
    watching.seen.clear()
    line.writable = True
    line.session.resume()
    assert [one["id"] for _, one in line.take()] == ["rpc:c0:a", "rpc:c0:b"]
    assert watching.seen == ["settled", "settled"]
    line.writable = False
    for n in range(5):
        line.session.result(f"rpc:c0:{n}", "x" * 1000)
    assert line.closes == [(1008, "over max_backlog (5000 bytes) wait: the client reads too slowly")]
    line.session.result("rpc:c0:z", 1)
    assert line.take() == []


async def test_a_session_that_is_closed_flushes_where_it_may(hub: Hub) -> None:
    for code, flushed in ((1000, True), (1001, True), (4002, True), (1008, False)):
        line = open_line(hub)
        line.take()
        line.writable = False
        line.session.result("rpc:c0:1", 1)
        line.session.close(code, "why")
        line.session.close(code, "again")
        assert ([one["id"] for _, one in line.take()] == ["rpc:c0:1"]) is flushed
        assert line.closes == [(code, "why")]
        assert line.session.client_id not in hub.sessions
        assert line.call("a.echo") is None


async def test_clients_have_ids_of_their_own(hub: Hub) -> None:
    ids = {Line(hub).session.client_id for _ in range(3)}
    assert len(ids) == 3
    assert all(len(one) == 33 and one[0] == "c" and int(one[1:], 16) >= 0 for one in ids)
    assert Line(hub, client_id="mine").session.client_id == "mine"
    assert Line(hub, route="here").session.route == "here"


async def test_a_client_that_returns_gets_what_it_lacks(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    """RES-1, RES-6, RES-7."""
    line = open_line(hub, "resume")
    resume = line.answer("system:c0:0")["result"]["resume"]
    assert (resume["resumed"], resume["window"], resume["heartbeat"]) == (False, 60.0, 30.0)
    assert "reason" not in resume
    for n in range(3):
        line.call("a.echo", n, id_=f"rpc:c0:{n}")
    line.cut()
    line.session.result("rpc:c0:late", "while away")
    back = Line(hub)
    with caplog.at_level(logging.INFO, "wslink"):
        again = back.hello("resume", secret=SECRET, resume={"token": resume["token"], "received": 2, "missing": [1]})
    told = again["result"]["resume"]
    assert (told["resumed"], told["received"], told["missing"], told["epoch"]) == (True, 3, [], resume["epoch"])
    assert told["token"] != resume["token"]
    assert [(number, one["result"]) for number, one in back.take()[1:]] == [(1, 0), (3, 2), (4, "while away")]
    assert f"client {line.session.client_id} returns" in caplog.messages
    assert back.carried is line.session
    other = Line(hub)
    refused = other.hello("resume", secret=SECRET, resume={"token": "0" * 32})["result"]["resume"]
    assert (refused["resumed"], refused["reason"]) == (False, "restarted")
    third = Line(hub)
    third.hello("resume", secret=SECRET, resume={"token": told["token"], "received": 4})
    assert back.closes == [(4001, "resumed elsewhere")]
    assert third.carried is line.session
    mixed = Line(hub)
    other_features = mixed.hello("resume", "subscribe", secret=SECRET, resume={"token": told["token"], "received": 4})
    assert other_features["result"]["resume"]["reason"] == "refused"
