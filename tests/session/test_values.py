"""Values that cannot be sent or read: who is told, and what it costs (MSG-8, ERR-5). Both protocol versions."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import json
import logging
import math
import re
import time
from typing import Any

import msgpack
import numpy
import pytest

import wslink
from tests.conftest import Open, Serve
from tests.messages import HEADER
from tests.peers import Peer
from wslink import App, CallError, Limits, NotSerializable

both = pytest.mark.parametrize("generation", [1, 2])
MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Cell:
    row: int


class Side(enum.Enum):
    LEFT = "left"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def deep_map(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def looped() -> Any:
    value: list[Any] = []
    value.append({"a": value})
    return value


def describe(app: App, value: Any = None) -> None:
    app.method("test.echo")(lambda value=None, **more: value)
    app.method("test.two")(lambda value=None, more=None: value)
    app.method("test.one")(lambda *args, **kwargs: 1)
    app.method("test.value")(lambda: value)
    app.method("test.later")(lambda: asyncio.sleep(0, value))


UNSENDABLE: dict[str, tuple[Any, str]] = {
    "bytes key": ({b"a": 1}, "key of type bytes"),
    "tuple key": ({(1, 2): 1}, "key of type tuple"),
    "dataclass key": ({Cell(1): 1}, "key of type Cell"),
    "tuple key deep down": ({"a": [{"b": ({"c": {(1,): 2}},)}]}, "key of type tuple"),
    "tuple key behind much": ([[{"a": [n]} for n in range(2000)], {(1,): 2}], "key of type tuple"),
    "tuple key in a dataclass": (dataclasses.make_dataclass("Held", ["maps"])([{(1,): 1}]), "key"),
    "deep": (deep(5000), "nested too deeply"),
    "deeper": (deep(100_000), "nested too deeply"),
    "deep in a map": ({"a": deep(5000)}, "nested too deeply"),
    "deeper than 512 levels": (deep(513), "nested too deeply"),
    "deep beside what is no number": ([float("nan"), deep(512)], "nested too deeply"),
    "deep in maps": ([[n] for n in range(600)] + [deep_map(512)], "nested too deeply"),
    "itself": (looped(), "holds itself"),
    "object": ([object()], "type object"),
    "dates": (numpy.array(["2024-01-01"], "M8[ns]"), "M8[ms]"),
    "months": (numpy.timedelta64(3, "M"), "no fixed length"),
    "wide integer": ([2**64], "int"),
}


@both
@pytest.mark.parametrize("what", UNSENDABLE)
async def test_a_value_that_cannot_be_sent_is_its_senders_error(
    app: App, serve: Serve, peers: Open, generation: int, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    if generation == 1 and what == "wide integer":
        pytest.skip("JSON carries it")
    value, why = UNSENDABLE[what]
    describe(app, value)
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), generation, hello={"features": ["arrays"]})
    with caplog.at_level(logging.INFO, "wslink"):
        for method in ("test.value", "test.later"):
            assert (await peer.call(method))["error"]["code"] == -32002
    assert why in caplog.text
    assert len(caplog.text.splitlines()) < 20
    with pytest.raises(NotSerializable):
        topic.publish(value)
    topic.publish("next")
    assert (await peer.publication())["result"] == "next"
    assert (await peer.call("test.one"))["result"] == 1


@pytest.mark.parametrize("what", UNSENDABLE)
async def test_an_argument_that_cannot_be_sent_is_its_callers_error(app: App, serve: Serve, what: str) -> None:
    value, why = UNSENDABLE[what]
    describe(app)
    async with wslink.connect(await serve(app), secret="secret") as link:
        for args, kwargs in (((value,), {}), ((), {"value": [value]})):
            with pytest.raises(NotSerializable, match=re.escape(why)):
                await link.call("test.echo", *args, **kwargs)
        assert await link.call("test.one") == 1


CARRIED: list[tuple[Any, Any]] = [
    ({1: "a", "b": 2}, {1: "a", "b": 2}),
    ({1.5: "a"}, {1.5: "a"}),
    ({True: 1, None: [{False: 2}]}, {True: 1, None: [{False: 2}]}),
    ({Side.LEFT: 1}, {"left": 1}),
    ({numpy.int32(7): 1}, {7: 1}),
    ({datetime.date(2024, 1, 2): 1}, {"2024-01-02": 1}),
    (numpy.datetime64("2024-01-02T03:04:05.000001", "ns"), "2024-01-02T03:04:05.000001"),
    (numpy.datetime64("2024-01-02T03:04:05.000000001", "ns"), "2024-01-02T03:04:05.000000001"),
    (numpy.datetime64("2024-01-02"), "2024-01-02"),
    (numpy.datetime64("2024-01-02T03", "h"), "2024-01-02T03:00:00"),
    (numpy.datetime64("NaT", "s"), None),
    (numpy.timedelta64(1500, "ms"), "PT1.5S"),
    (numpy.timedelta64(1_500_000_000, "ns"), "PT1.5S"),
    (numpy.timedelta64(-1, "ns"), "-PT0.000000001S"),
    (numpy.timedelta64("NaT", "s"), None),
    ({"deep": [{"er": (numpy.datetime64(0, "s"),)}]}, {"deep": [{"er": ["1970-01-01T00:00:00"]}]}),
    (deep(200), deep(200)),
    (deep_map(200), deep_map(200)),
]


@both
@pytest.mark.parametrize(("value", "arrives"), CARRIED)
async def test_a_value_that_is_carried(
    app: App, serve: Serve, peers: Open, generation: int, value: Any, arrives: Any
) -> None:
    describe(app, value)
    peer = await peers(await serve(app), generation, hello={})
    result = (await peer.call("test.value"))["result"]
    if generation == 1 and isinstance(arrives, dict):
        arrives = json.loads(json.dumps(arrives))
    assert result == arrives


async def test_dates_of_pandas_are_dates(app: App, serve: Serve) -> None:
    pandas = pytest.importorskip("pandas")

    @app.method("test.day")
    def day(when: datetime.datetime, after: datetime.timedelta) -> Any:
        return [when + after, when.isoformat()]

    async with wslink.connect(await serve(app), secret="secret") as link:
        when, after = pandas.Timestamp("2024-01-02T03:04:05"), pandas.Timedelta(days=1, seconds=2, microseconds=3)
        assert await link.call("test.day", when, after) == ["2024-01-03T03:04:07.000003", "2024-01-02T03:04:05"]
        app.method("test.not")(lambda: [pandas.NaT, pandas.Timestamp(1, unit="ns"), pandas.Timedelta(1, unit="ns")])
        assert await link.call("test.not") == [None, "1970-01-01T00:00:00.000000001", "PT0.000000001S"]


# Calls that cannot be read as a whole end under their own id.


@pytest.mark.parametrize("sent", ["args", "kwargs"])
async def test_an_argument_over_max_message_ends_its_call(serve: Serve, sent: str) -> None:
    app = App(secret="secret", limits=Limits(max_message=1_000_000))
    describe(app)
    async with wslink.connect(await serve(app), secret="secret") as link:
        for large in (bytes(2_000_000), [1.5] * 200_000, numpy.zeros(300_000), "x" * 20_000_000):
            with pytest.raises(CallError, match=r"over max_message \(1000000\)") as refused:
                given = ((large,), {}) if sent == "args" else ((), {"value": large})
                await asyncio.wait_for(link.call("test.echo", *given[0], **given[1]), 10)
            assert refused.value.code == -32003
        assert await link.call("test.one") == 1


@both
async def test_a_call_over_max_message_is_refused_under_its_id(serve: Serve, peers: Open, generation: int) -> None:
    app = App(secret="secret", limits=Limits(max_message=100_000))
    describe(app)
    peer = await peers(await serve(app), generation, hello={})
    for before in ({}, {"wslink": "1.0", "x": 'a "b', "y": 1.5}):
        await peer.send({**before, "id": "mine", "method": "test.echo", "args": ["x" * 200_000]}, max_frame=50_000)
        answer = await peer.receive()
        assert (answer["id"], answer["error"]["code"]) == ("mine", -32003)
        assert "max_message (100000)" in answer["error"]["message"]
    assert (await peer.call("test.one"))["result"] == 1


async def test_an_attachment_over_max_message_is_refused_with_the_call_that_names_it(serve: Serve, peers: Open) -> None:
    """G1-12."""
    """G1-12."""
    app = App(secret="secret", limits=Limits(max_message=100_000))
    describe(app)
    peer = await peers(await serve(app), 1, hello={})
    key = await peer.attach("wslink_bin1", bytes(200_000))
    answer = await peer.call("test.echo", [key])
    assert (answer["error"]["code"], answer["error"]["message"]) == (
        -32003,
        "attachment wslink_bin1 is over max_message (100000)",
    )
    assert (await peer.call("test.echo", [key]))["result"] == [key]


async def test_a_result_over_the_clients_max_message_ends_its_call(app: App, serve: Serve) -> None:
    describe(app)
    app.method("test.large")(lambda size: bytes(size))
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret", limits=Limits(max_message=100_000)) as link:
        subscription = link.subscribe("test.topic")
        await subscription.ready
        for size in (200_000, 20_000_000):
            with pytest.raises(CallError, match=r"over max_message \(100000\)") as refused:
                await asyncio.wait_for(link.call("test.large", size), 10)
            assert refused.value.code == -32003
        topic.publish(bytes(200_000))
        topic.publish("next")
        assert await asyncio.wait_for(anext(subscription), 5) == "next"


def malformed_array() -> Any:
    return msgpack.ExtType(1, b"\x06\x92\xa3|u1\x05ab")


@pytest.mark.parametrize(
    "argument", [malformed_array(), "DEEP", {b"a": 1}, {(1, 2): 1}, [{"a": [{(1,): 2}]}],
                 {msgpack.ExtType(5, b"x"): 1}, msgpack.Timestamp(2**62)], ids=lambda value: ascii(value)[:18],
)  # fmt: skip
@pytest.mark.parametrize("padding", [0, 10_000])
async def test_an_argument_that_cannot_be_read_ends_its_call(
    app: App, serve: Serve, peers: Open, argument: Any, padding: int, caplog: pytest.LogCaptureFixture
) -> None:
    describe(app)
    peer = await peers(await serve(app), hello={"features": ["arrays"]})
    for args, kwargs in (([argument, [0] * padding], {}), ([], {"value": argument, "more": [0] * padding})):
        text = msgpack.packb({"wslink": "1.0", "id": "mine", "method": "test.two", "args": args, "kwargs": kwargs})
        text = text.replace(b"\xa4DEEP", b"\x91" * 100_000 + b"\x01")
        await peer.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text)
        answer = await peer.receive()
        assert (answer["id"], answer["error"]["code"]) == ("mine", -32700)
    assert len(caplog.text) < 5000
    assert (await peer.call("test.one"))["result"] == 1


# What little input may cost (LIM-13).


def colliding(count: int) -> list[tuple[int, int]]:
    """Tuples of one hash would be longer to find; small ones whose hashes share their low bits do for the time."""
    return [(n % 251, n // 251) for n in range(count)]


async def probed(peer: Peer, other: Peer, text: bytes) -> float:
    """Seconds that `other` waits for an answer behind `text`, sent by `peer`."""
    for offset in range(0, len(text), 500_000):
        await peer.socket.send_bytes(HEADER.pack(1, offset, len(text)) + text[offset : offset + 500_000])
    began = time.perf_counter()
    await other.call("test.one")
    return time.perf_counter() - began


async def test_many_values_in_little_text_are_refused(serve: Serve, peers: Open) -> None:
    """LIM-13."""
    app = App(secret="secret")
    describe(app)
    url = await serve(app)
    peer, other = await peers(url, hello={}), await peers(url, hello={})
    head = msgpack.packb({"wslink": "1.0", "id": "mine", "method": "test.one"})[1:]
    for many in (b"\xdd" + (3_000_000).to_bytes(4, "big") + b"\x90" * 3_000_000,
                 b"\xdd" + (3_000_000).to_bytes(4, "big") + b"\xa1a" * 3_000_000,
                 b"\x93" + (b"\xdd" + (600_000).to_bytes(4, "big") + b"\x80" * 600_000) * 3):  # fmt: skip
        waited = await probed(peer, other, b"\x84" + head + msgpack.packb("args") + many)
        answer = await peer.receive()
        assert (answer["id"], answer["error"]["code"]) == ("mine", -32003)
        assert "max_elements (1000000)" in answer["error"]["message"]
        assert waited < 3  # the machine may be busy
    first = await peers(url, 1, hello={})
    await first.send({"id": "mine", "method": "test.one", "args": [[[]] * 1_000_001]})
    answer = await first.receive()
    assert (answer["id"], answer["error"]["code"]) == ("mine", -32003)
    await first.send({"id": "mine", "method": "test.echo", "args": [",[{" * 600_000]})
    assert len((await first.receive())["result"]) == 1_800_000


@pytest.mark.parametrize("authenticated", [False, True])
async def test_arrays_as_keys_are_refused_before_they_are_hashed(
    app: App, serve: Serve, peers: Open, authenticated: bool
) -> None:
    """MSG-8."""
    describe(app)
    peer = await peers(await serve(app), hello={} if authenticated else None)
    keys = dict.fromkeys(colliding(10000), 0)
    text = msgpack.packb({"id": "system:c0:0", "method": "wslink.hello", "args": [keys]})
    await peer.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text)
    answer = await peer.receive()
    assert (answer["id"], answer["error"]["code"]) == ("system:c0:0", -32700)
    assert answer["error"]["message"] == "a key of a map must be a string, a number, a boolean or null"


async def test_wide_integers_of_json_are_floats(app: App, serve: Serve, peers: Open) -> None:
    """G1-11."""
    """G1-11."""
    describe(app)
    app.topic("test.topic")
    peer = await peers(await serve(app), 1, hello={"features": ["subscribe"]})
    wide = [2**64 - 1, -(2**63), 2**64, 10**30, -(10**30), 1.5, "1" * 30]
    result = (await peer.call("test.echo", wide))["result"]
    assert result == [2**64 - 1, -(2**63), float(2**64), 1e30, -1e30, 1.5, "1" * 30]
    await peer.socket.send_str('{"id": "mine", "method": "test.echo", "args": [' + "9" * 100_000 + "]}")
    assert (await peer.receive())["result"] == math.inf
    same_hash = [(2**61 - 1) * n for n in range(1, 4000)]
    began = time.perf_counter()
    await peer.subscribe(1, "test.topic", {"row": same_hash})
    assert time.perf_counter() - began < 1


@both
@pytest.mark.parametrize(
    "definition",
    [{"a": {"x" * 4000: ["y" * 4000] * 20}}, {"a": [["z" * 100_000] * 20]}, {"a": {"gte": deep(150)}}],
    ids=["bounds", "list", "deep"],
)  # fmt: skip
async def test_what_was_sent_is_echoed_in_short(
    app: App, serve: Serve, peers: Open, generation: int, definition: Any
) -> None:
    app.topic("test.topic")
    peer = await peers(await serve(app), generation, hello={"features": ["subscribe"]})
    for argument in (
        {"subscription": 1, "topic": "test.topic", "filter": definition},
        {"subscription": [definition], "topic": "test.topic"},
        {"subscription": 1, "topic": "x" * 100_000},
        {"subscription": 1, "topic": [definition]},
    ):
        error = (await peer.system("wslink.subscribe", argument))["error"]
        assert error["code"] == -32602
        assert len(repr(error)) < 2000
    for method in ("x" * 100_000, "wslink." + "x" * 100_000):
        assert len(repr((await peer.system(method, 1))["error"])) < 3000
        assert len(repr((await peer.call(method, 1))["error"])) < 3000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
async def test_json_is_utf_8(encoding: str) -> None:
    """G1-11."""
    from wslink.errors import ParseError
    from wslink.wire.v1_json import V1Decoder

    for text in ('{"id": "rpc:c1:1", "method": "a"}', '{"id": "rpc:c1:1", "method": "a", "args": [NaN]}'):
        for calls in (True, False):
            with pytest.raises(ParseError):
                V1Decoder(Limits(), calls=calls).receive(False, text.encode(encoding))


@both
async def test_an_unknown_argument_is_echoed_in_short(app: App, serve: Serve, peers: Open, generation: int) -> None:
    @app.method("test.side")
    def side(value: Side, number: int = 0) -> None:
        pass

    peer = await peers(await serve(app), generation, hello={})
    for args, kwargs in (
        (["x" * 1_000_000], {}),
        ([], {"x" * 1_000_000: 1}),
        ([], {"value": "left", "number": "x" * 1_000_000}),
        ([], {"value": "left", "number": {"x" * 1000: 1}}),
    ):
        error = (await peer.call("test.side", *args, **kwargs))["error"]
        assert error["code"] == -32602
        assert len(repr(error)) < 1500
