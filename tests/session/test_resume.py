"""Sessions that outlive their connections (RES)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgpack
import pytest

from tests.conftest import Serve
from wslink import App
from wslink.session.identity import Identity
from wslink.wire.limits import Limits

HEADER = struct.Struct("<III")
FEATURES = ["subscribe", "resume"]


class Returning:
    """A raw client of protocol version 2 that returns, written against the rules alone."""

    def __init__(self, url: str, features: list[str] = FEATURES, secret: str = "secret") -> None:
        self.url = url
        self.features = features
        self.secret = secret
        self.token = ""
        self.answer: dict[str, Any] = {}
        self.client_id = ""
        self.last = 0
        """The largest number that has arrived."""
        self.missing: set[int] = set()
        self.doubles = 0
        self.numbers: list[int] = []
        """Of messages in the order of their arrival, on this connection."""
        self.sent: dict[int, bytes] = {}
        """What the server has not acknowledged, by number."""
        self.sent_number = 0
        self.acknowledgements: list[list[Any]] = []
        self.results: dict[str, Any] = {}
        self.publications: list[Any] = []
        self.requests: list[Any] = []
        """Calls of the server, and what it says of them (HND)."""
        self.counted = 0
        self.acknowledges = False
        """Whether it acknowledges each frame at once."""
        self.http = aiohttp.ClientSession()
        self.socket: aiohttp.ClientWebSocketResponse
        self.reader: asyncio.Task[None] | None = None
        self.ready = False
        """Whether what is sent goes out at once."""
        self.news = asyncio.Event()
        self._ids = 0
        self._partial: dict[int, dict[int, bytes]] = {}

    # Connections

    async def connect(self, **changes: Any) -> dict[str, Any]:
        """Connect and say hello; `changes` to what it says of resumption. Its response, or error."""
        self.ready = False
        self.socket = await self.http.ws_connect(self.url, max_msg_size=0)
        self._partial.clear()
        self.numbers.clear()
        self.counted = 0
        await self.say_hello(**changes)
        frame = await asyncio.wait_for(self.socket.receive(), 5)
        if frame.type is not aiohttp.WSMsgType.BINARY:
            raise ConnectionError("hello was not answered")
        message = msgpack.unpackb(frame.data[12:], strict_map_key=False)
        self.answer = message.get("result") or {}
        assert HEADER.unpack_from(frame.data)[0] == 0 or "resume" not in self.answer
        if not self.answer:
            return message
        resume = self.answer.get("resume", {})
        if not resume.get("resumed"):
            self.last, self.missing, self.sent_number = 0, set(), 0
            self.sent.clear()
        self.token = resume.get("token", "")
        self.client_id = self.answer["clientID"]
        self.reader = asyncio.create_task(self._read(self.socket))
        if resume.get("resumed"):
            self._acknowledged(resume["received"], resume["missing"])
            again = 0
            while more := sorted(number for number in self.sent if number > again):
                again = more[0]
                await self._send(again, self.sent[again])
        self.ready = True
        return self.answer

    async def say_hello(self, **changes: Any) -> None:
        known = {"token": self.token, "received": self.last, "missing": sorted(self.missing)} if self.token else {}
        hello = {"secret": self.secret, "features": self.features, "resume": {**known, **changes}}
        envelope = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [hello]}
        text = msgpack.packb(envelope)
        await self.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)

    async def cut(self, how: str = "reset") -> None:
        """Lose the connection."""
        transport = self.socket._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        if how == "half" and transport.can_write_eof():
            transport.write_eof()
        if how == "frame":
            transport.write(b"\x82\xfe\x01\x00")
        transport.abort()
        await self._stop_reading()

    async def leave(self, code: int = 1000) -> None:
        await self._stop_reading()
        await self.socket.close(code=code)

    async def close(self) -> None:
        await self._stop_reading()
        await self.http.close()

    async def _stop_reading(self) -> None:
        self.ready = False
        if self.reader is not None:
            self.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await self.reader
            self.reader = None

    # Sending

    async def start(self, method: str, *args: Any) -> str:
        self._ids += 1
        return await self.send_call(f"rpc:{self.client_id}:{self._ids}", method, list(args))

    async def send_call(self, id_: str, method: str, args: list[Any]) -> str:
        await self.send_message({"wslink": "1.0", "id": id_, "method": method, "args": args, "kwargs": {}})
        return id_

    async def send_message(self, message: Any) -> None:
        self.sent_number += 1
        self.sent[self.sent_number] = text = msgpack.packb(message)
        if self.ready:
            await self._send(self.sent_number, text)

    async def subscribe(self, number: int, topic: str, **more: Any) -> Any:
        self._ids += 1
        request = {"subscription": number, "topic": topic, **more}
        id_ = await self.send_call(f"system:test:{self._ids}", "wslink.subscribe", [request])
        return await self.result(id_)

    async def _send(self, number: int, text: bytes) -> None:
        size = 100_000
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            for offset in range(0, len(text), size):
                await self.socket.send_bytes(HEADER.pack(number, offset, len(text)) + text[offset : offset + size])

    async def extension(self, *items: Any) -> None:
        text = msgpack.packb(items)
        if self.ready:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await self.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)

    async def acknowledge(self, *more: Any) -> None:
        await self.extension(1, self.counted, 0, self.last, sorted(self.missing), *more)

    # Receiving

    async def result(self, id_: str, timeout: float = 5) -> Any:
        await self.until(lambda: id_ in self.results, timeout)
        return self.results[id_]

    async def call(self, method: str, *args: Any) -> Any:
        return await self.result(await self.start(method, *args))

    async def until(self, condition: Callable[[], bool], timeout: float = 5) -> None:
        async def wait() -> None:
            while not condition():
                self.news.clear()
                await self.news.wait()

        await asyncio.wait_for(wait(), timeout)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            if frame.type is not aiohttp.WSMsgType.BINARY:
                self.news.set()
                return
            self._receive(frame.data)
            self.news.set()
            if self.acknowledges:
                await self.acknowledge()

    def _receive(self, data: bytes) -> None:
        number, offset, total = HEADER.unpack_from(data)
        chunks = self._partial.setdefault(number, {})
        chunks[offset] = data[12:]
        complete = sum(map(len, chunks.values())) >= total
        text = b"".join(chunks[key] for key in sorted(chunks)) if complete else b""
        message = msgpack.unpackb(text, strict_map_key=False) if complete else None
        if complete:
            del self._partial[number]
        if not (isinstance(message, list) and message[0] in (1, 2)):
            self.counted += len(data)
        if isinstance(message, list) and message[0] == 1:
            assert number == 0
            self.acknowledgements.append(message)
            self._acknowledged(message[3], message[4])
        elif message is not None and self._is_new(number):
            if isinstance(message, list) or "method" in message:
                self.requests.append(message)
            elif message["id"].startswith("publish:"):
                self.publications.append(message["result"])
            else:
                assert message["id"] not in self.results
                self.results[message["id"]] = message.get("result", message.get("error"))

    def _is_new(self, number: int) -> bool:
        assert number > 0
        self.numbers.append(number)
        if number > self.last:
            self.missing.update(range(self.last + 1, number))
            self.last = number
            return True
        if number in self.missing:
            self.missing.discard(number)
            return True
        self.doubles += 1
        return False

    def _acknowledged(self, received: int, missing: list[int]) -> None:
        for number in [number for number in self.sent if number <= received and number not in missing]:
            del self.sent[number]


Clients = Callable[..., Returning]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made: list[Returning] = []

    def make(url: str, *args: Any, **options: Any) -> Returning:
        made.append(Returning(url, *args, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def gone(app: App) -> None:
    """Wait until the server has seen that connections were lost."""
    for _ in range(200):
        if all(session.state.value != "open" for session in app._hub.connected):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server still has a connection")


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_client_that_returns_is_the_same_client(app: App, serve: Serve, clients: Clients, engine: str) -> None:
    """RES-1, RES-6, RES-10: its id, its subscriptions, its calls and what is sent to it stay."""
    events: list[tuple[str, str]] = []
    for name in ("connect", "detach", "resume", "disconnect"):
        getattr(app, f"on_{name}")(lambda client_id, name=name: events.append((name, client_id)))
    gate = asyncio.Event()

    @app.method("test.slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    topic = app.topic("test.topic")
    client = clients(await serve(app, engine=engine))
    first = await client.connect()
    assert first["resume"].keys() == {"token", "epoch", "window", "heartbeat", "resumed"}
    assert first["resume"]["resumed"] is False
    assert (first["resume"]["window"], first["resume"]["heartbeat"]) == (60, 30)
    assert len(bytes.fromhex(first["resume"]["token"])) == 16
    await client.subscribe(1, "test.topic")
    seen = app.clients[client.client_id]
    call = await client.start("test.slow")
    await asyncio.sleep(0.1)
    await client.cut()
    await gone(app)
    assert app.clients[client.client_id] is seen
    gate.set()
    for number in range(10):
        topic.publish(number)
    again = await client.connect()
    assert again["clientID"] == first["clientID"]
    assert again["resume"]["resumed"] is True
    assert again["resume"]["epoch"] == first["resume"]["epoch"]
    assert await client.result(call) == "done"
    await client.until(lambda: len(client.publications) == 10)
    topic.publish("live")
    await client.until(lambda: len(client.publications) == 11)
    assert client.publications == [*range(10), "live"]
    await client.leave()
    await gone(app)
    await asyncio.sleep(0.05)
    assert events == [(name, first["clientID"]) for name in ("connect", "detach", "resume", "disconnect")]


async def test_messages_are_numbered_from_one_and_hello_is_not(app: App, serve: Serve, clients: Clients) -> None:
    """RES-2: acknowledgements, too, have the number 0."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    await client.connect()
    for value in range(3):
        assert await client.call("test.echo", value) == value
    assert len(await client.call("test.echo", bytes(300_000))) == 300_000
    assert client.numbers == [1, 2, 3, 4]


async def test_without_the_feature_nothing_changes(app: App, serve: Serve, clients: Clients) -> None:
    client = clients(await serve(app), ["subscribe"])
    assert "resume" not in await client.connect()
    await client.cut()
    await gone(app)
    assert not app.clients


async def test_what_was_sent_and_not_received_is_sent_again_under_its_number(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-2, RES-4, RES-6."""
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    for number in range(5):
        topic.publish(number)
    await client.until(lambda: len(client.publications) == 5)
    await client.cut()
    await gone(app)
    topic.publish(5)
    client.publications.clear()
    await client.connect(received=3, missing=[2])  # as if it had 1 and 3 alone
    await client.until(lambda: client.doubles == 4)
    await client.until(lambda: client.publications == [5])
    assert client.numbers == [2, 4, 5, 6, 7]


async def test_a_message_that_comes_again_is_dropped(app: App, serve: Serve, clients: Clients) -> None:
    """RES-3: a call is executed once."""
    calls: list[int] = []
    app.method("test.count")(calls.append)
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.count", 1)
    first = dict(client.sent)
    for _ in range(3):
        await client.cut()
        await gone(app)
        client.sent.update(first)
        answer = await client.connect()
        assert answer["resume"]["received"] == 1
        client.sent.update(first)
        await client._send(1, first[1])
    await client.call("test.count", 2)
    assert calls == [1, 2]


async def test_a_number_that_is_far_ahead_is_malformed(app: App, serve: Serve, clients: Clients) -> None:
    """RES-3, ERR-5."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    await client.connect()
    client.sent_number = 100
    await client.start("test.echo", 1)
    await client.until(lambda: "system:malformed:0" in client.results)
    assert "number 101" in client.results["system:malformed:0"]["message"]
    client.sent_number = 0
    assert await client.call("test.echo", 1) == 1


async def test_what_passes_calls_that_wait_for_their_turn_is_not_far_ahead(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-3, TURN-1, CAN-2."""
    app.method("test.wait")(lambda: time.sleep(0.002))
    client = clients(await serve(app), [*FEATURES, "cancel"])
    await client.connect()
    ids = [await client.start("test.wait") for _ in range(300)]
    client.sent_number += 1
    text = msgpack.packb([6, ids[-1]])
    client.sent[client.sent_number] = text
    await client._send(client.sent_number, text)
    await client.until(lambda: len(client.results) >= 300)
    assert set(client.results) == set(ids)
    assert client.results[ids[-1]]["code"] == -32800
    await client.until(lambda: not client.sent)


async def test_messages_are_acknowledged_in_time(app: App, serve: Serve, clients: Clients) -> None:
    """RES-5: within a second; at once for a MiB."""
    app.method("test.size")(len)
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.size", b"small")
    await client.until(lambda: not client.sent, 2)
    assert client.acknowledgements[-1][3:] == [1, []]
    client.acknowledgements.clear()
    await client.call("test.size", bytes(1024 * 1024))
    await client.call("test.size", b"small")
    assert client.acknowledgements


async def test_flow_and_resume_share_acknowledgements(app: App, serve: Serve, clients: Clients) -> None:
    """RES-5, FLOW-3: counts begin anew with a connection."""
    app.method("test.big")(lambda: bytes(2_000_000))
    client = clients(await serve(app), ["flow", "resume", "subscribe"])
    await client.connect()
    for _ in range(2):
        await client.cut()
        await gone(app)
        await client.connect()
        call = await client.start("test.big")
        while call not in client.results:
            await asyncio.sleep(0.01)
            await client.acknowledge()
        await client.until(lambda: not client.sent)
    assert client.acknowledgements[-1][1] < 1000


async def test_a_request_of_a_sign_of_life_is_answered_at_once(app: App, serve: Serve, clients: Clients) -> None:
    """RES-11."""
    client = clients(await serve(app))
    await client.connect()
    await client.acknowledge(True)
    await client.until(lambda: bool(client.acknowledgements), 0.5)
    assert client.acknowledgements == [[1, 0, client.acknowledgements[0][2], 0, []]]


async def test_a_session_ends_with_its_window(serve: Serve, clients: Clients) -> None:
    """RES-1, RES-6, RES-10: `expired`."""
    app = App(secret="secret", limits=Limits(resume_window=0.2))
    gone_clients: list[str] = []
    app.on_disconnect(gone_clients.append)
    client = clients(await serve(app))
    first = await client.connect()
    await client.cut()
    await gone(app)
    assert not gone_clients
    await asyncio.sleep(0.3)
    assert gone_clients == [first["clientID"]]
    again = await client.connect()
    assert again["resume"]["resumed"] is False
    assert again["resume"]["reason"] == "expired"
    assert again["clientID"] != first["clientID"]
    assert again["resume"]["epoch"] != first["resume"]["epoch"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_session_that_keeps_too_much_cannot_be_resumed(serve: Serve, clients: Clients, when: str) -> None:
    """RES-4, LIM-18: `overflow`; what is acknowledged does not count."""
    app = App(secret="secret", limits=Limits(max_resume=100_000))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    for number in range(20):
        topic.publish(bytes(10_000))
        await client.until(lambda number=number: len(client.publications) == number + 1)
        await client.acknowledge()
    await client.call("test.none")
    await client.cut()
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]
    if when == "before":
        for _ in range(20):
            topic.publish(bytes(10_000))
        await client.until(lambda: len(client.publications) == 40)
        client.last -= 15
    await client.cut()
    await gone(app)
    for _ in range(20):
        topic.publish(bytes(10_000))
    assert (await client.connect())["resume"]["reason"] == "overflow"


async def test_a_client_that_has_all_can_return_although_little_was_kept(serve: Serve, clients: Clients) -> None:
    """RES-4."""
    app = App(secret="secret", limits=Limits(max_resume=10_000))
    app.method("test.big")(lambda: bytes(100_000))
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.big")
    await client.cut()
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]
    assert len(await client.call("test.big")) == 100_000


async def test_a_server_that_has_restarted_says_so(serve: Serve, clients: Clients) -> None:
    """RES-1."""
    client = clients(await serve(App(secret="secret")))
    await client.connect()
    await client.cut()
    client.url = await serve(App(secret="secret"))
    answer = await client.connect()
    assert answer["resume"]["reason"] == "restarted"


async def test_another_user_or_other_features_are_refused(app: App, serve: Serve, clients: Clients) -> None:
    """RES-1: a token belongs to one client (RES-7)."""
    app.authenticate(lambda credentials: Identity(user=credentials.secret))
    client = clients(await serve(app), secret="alice")
    first = await client.connect()
    await client.cut()
    await gone(app)
    client.secret = "bob"
    token = client.token
    answer = await client.connect()
    assert answer["resume"]["reason"] == "refused"
    assert answer["clientID"] != first["clientID"]
    client.secret, client.features = "alice", ["resume"]
    assert (await client.connect(token=token))["resume"]["reason"] == "refused"
    client.features = FEATURES
    assert (await client.connect(token=token))["clientID"] == first["clientID"]


async def test_a_return_is_authenticated_like_any_hello(app: App, serve: Serve, clients: Clients) -> None:
    """RES-8: a refused one leaves the session as it was."""
    client = clients(await serve(app))
    first = await client.connect()
    await client.cut()
    await gone(app)
    client.secret = "wrong"
    assert (await client.connect())["error"]["code"] == -32000
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.http.ws_connect(client.url, origin="https://elsewhere.example")
    client.secret = "secret"
    assert (await client.connect())["clientID"] == first["clientID"]


async def test_a_return_takes_the_place_of_a_connection_that_seems_open(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-9."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    first = await client.connect()
    old = client.socket
    await client._stop_reading()
    assert (await client.connect())["clientID"] == first["clientID"]
    frame = await asyncio.wait_for(old.receive(), 5)
    assert frame.type is aiohttp.WSMsgType.CLOSE
    assert frame.data == 4001
    assert await client.call("test.echo", 1) == 1
    await old.close()
    assert await client.call("test.echo", 2) == 2
    assert list(app.clients) == [first["clientID"]]


async def test_tokens_change_and_old_ones_open_nothing(
    app: App, serve: Serve, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    """RES-7: the one before the newest counts until the client has shown that it knows the newest."""
    caplog.set_level(logging.DEBUG)
    client = clients(await serve(app))
    await client.connect()
    tokens = [client.token]
    for _ in range(2):  # the responses of hello are lost
        await client.cut()
        await gone(app)
        assert (await client.connect(token=tokens[0]))["resume"]["resumed"]
        tokens.append(client.token)
    assert tokens[0] != tokens[1] == tokens[2]
    thief = clients(client.url)
    await client.acknowledge(True)
    await client.until(lambda: bool(client.acknowledgements))
    assert (await thief.connect(token="0" * 32))["resume"]["reason"] == "restarted"
    assert (await thief.connect(token=tokens[0]))["resume"]["reason"] == "expired"
    await client.cut()
    await asyncio.sleep(0.05)
    assert (await client.connect(token=tokens[2]))["resume"]["resumed"]
    assert not any(token in record.getMessage() for token in [*tokens, client.token] for record in caplog.records)


@pytest.mark.parametrize("resume", [5, {"token": 5}, {"token": "x" * 65}, {"received": -1}, {"missing": [None]},
                                    {"missing": list(range(65))}])  # fmt: skip
async def test_a_malformed_hello_is_answered(app: App, serve: Serve, clients: Clients, resume: Any) -> None:
    client = clients(await serve(app))
    client.socket = await client.http.ws_connect(client.url)
    hello = {"secret": "secret", "features": FEATURES, "resume": resume}
    text = msgpack.packb({"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [hello]})
    await client.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)
    answer = msgpack.unpackb((await client.socket.receive())[1][12:])
    assert answer["error"]["code"] == -32602
    assert "resume" in answer["error"]["message"]


@pytest.mark.parametrize("flow", [[], ["flow"]])
async def test_of_latest_publications_the_newest_are_repeated(
    app: App, serve: Serve, clients: Clients, flow: list[str]
) -> None:
    """RES-6."""
    topic = app.topic("test.frame", delivery="latest")
    client = clients(await serve(app), [*FEATURES, *flow])
    await client.connect()
    await client.subscribe(1, "test.frame", window=8)
    topic.publish("old a", key="a")
    topic.publish("old b", key="b")
    await client.until(lambda: len(client.publications) == 2)
    client.publications.clear()
    client.last -= 2  # as if they had not arrived
    await client.cut()
    await gone(app)
    for number in range(5):
        topic.publish(f"a{number}", key="a")
    await client.connect()
    topic.publish("live", key="c")
    await client.until(lambda: len(client.publications) == 3)
    assert client.publications == ["a4", "old b", "live"]


async def test_a_publisher_does_not_wait_for_ever_for_a_client_that_is_away(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=50_000, max_resume=200_000, stall_timeout=0.2))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    await client.cut()
    await gone(app)
    publishing = asyncio.ensure_future(_publish(topic, 6))
    await asyncio.sleep(0.5)
    assert not publishing.done()
    await client.connect()
    await asyncio.wait_for(publishing, 5)
    await client.until(lambda: len(client.publications) == 6)


async def _publish(topic: Any, count: int) -> None:
    for _ in range(count):
        await topic.publish_wait(bytes(30_000))


async def test_a_client_that_takes_nothing_can_return(serve: Serve, clients: Clients) -> None:
    """LIM-6, RES-6: its line may be dead without either end having been told."""
    app = App(secret="secret", limits=Limits(stall_timeout=0.3))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    first = await client.connect()
    await client.subscribe(1, "test.topic")
    await client._stop_reading()
    client.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for _ in range(30):
        topic.publish(bytes(1_000_000))
    await gone(app)
    assert (await client.connect())["clientID"] == first["clientID"]
    await client.until(lambda: len(client.publications) == 30)


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_what_all_clients_may_lack_is_bounded(serve: Serve, clients: Clients, size: int) -> None:
    """LIM-6: those for which most is kept go on, and cannot be resumed; those that acknowledge can."""
    app = App(secret="secret", limits=Limits(max_server_backlog=2_000_000))
    app.method("test.get")(lambda: bytes(size))
    url = await serve(app)
    idle, busy = clients(url), clients(url)
    for client in (idle, busy):
        await client.connect()
    for _ in range(3_000_000 // size):
        await idle.call("test.get")
    await busy.call("test.get")
    assert app._hub.backlog.bytes + app._hub.backlog.kept <= 2_000_000
    for client in (idle, busy):
        client.last -= 1
        client.results.clear()
        await client.cut()
    await gone(app)
    assert (await busy.connect())["resume"]["resumed"]
    idle.last = 1
    assert (await idle.connect())["resume"].get("reason") == "overflow"
    for client in (idle, busy):
        await client.leave()
    await gone(app)
    assert (app._hub.backlog.bytes, app._hub.backlog.kept) == (0, 0)


async def test_a_server_that_stops_ends_the_sessions_of_clients_that_are_away(
    app: App, serve: Serve, clients: Clients
) -> None:
    gone_clients: list[str] = []
    app.on_disconnect(gone_clients.append)
    client = clients(await serve(app))
    await client.connect()
    await client.cut()
    await gone(app)
    assert app._server is not None
    await app._server.stop()
    assert gone_clients == [client.client_id]


async def test_a_client_that_closes_is_not_waited_for(app: App, serve: Serve, clients: Clients) -> None:
    """RES-6."""
    client = clients(await serve(app))
    await client.connect()
    for code in (1000, 1001):
        await client.leave(code)
        await gone(app)
        assert not app.clients
        assert (await client.connect())["resume"]["reason"] == "expired"
    await client.leave(4000)
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]


async def test_clients_of_one_address_that_do_not_return_keep_no_other_from_it(serve: Serve) -> None:
    """LIM-18: where more are away than may be, an address of which many are makes room."""
    app = App(secret="secret", limits=Limits(max_clients=6))
    app.method("test.echo")(lambda value: value)
    url = await serve(app)
    honest = Returning(url)
    await honest.http.close()
    honest.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0)))
    first = await honest.connect()
    await honest.cut()
    deserters = [Returning(url) for _ in range(15)]
    for deserter in deserters:
        await deserter.connect()
        await deserter.cut()
    assert (await honest.connect())["clientID"] == first["clientID"]
    assert honest.answer["resume"]["resumed"]
    assert await honest.call("test.echo", 5) == 5
    for client in (honest, *deserters):
        await client.http.close()
