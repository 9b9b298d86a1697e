"""Calls over a real socket, in each generation that the package speaks."""

import asyncio
import math
import threading

import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from .package import VERSION, second_generation
from .peer import Failure, rebuilt
from .serving import Protocol, serving


class Calls(LinkProtocol):
    """No super().__init__(): registration and init set all that is needed."""

    def __init__(self):
        self.thread = None

    @register("test.echo")
    def echo(self, value=None):
        return value

    @register("test.shape")
    def shape(self, first, *rest, named="default", **more):
        return [first, list(rest), named, more]

    @register("test.none")
    def none(self):
        pass

    @register("test.async")
    async def coroutine(self, value):
        await asyncio.sleep(0)
        return value

    @register("test.future")
    def future(self):
        future = asyncio.get_running_loop().create_future()
        future.set_result("from a future")
        return future

    @register("test.task")
    def task(self):
        return asyncio.ensure_future(self.coroutine("from a task"))

    @register("test.tuple")
    def tuple(self):
        return (1, (2, 3))

    @register("test.raise")
    def raising(self):
        raise ValueError("a reason")

    @register("test.araise")
    async def raising_later(self):
        await asyncio.sleep(0)
        raise ValueError("a later reason")

    @register("test.unencodable")
    def unencodable(self):
        return {"deep": [object()]}

    @register("test.thread")
    def on_thread(self):
        return threading.get_ident()

    @register("test.attached")
    def attached(self, kind):
        value = {"bytes": bytes, "bytearray": bytearray, "memoryview": memoryview}[kind](b"\x00\x01\xff")
        return {"list": [self.addAttachment(value), "text"], "again": self.addAttachment(value)}

    @register("test.whole")
    def whole(self):
        return self.addAttachment(b"all of it")

    @register("test.bytes")
    def bytes(self):
        return {"hashes": {"abc": memoryview(b"12345678").cast("i"), "def": bytearray(b"xy")}}

    @register("test.hex")
    def hex(self, value):
        return value.hex() if isinstance(value, bytes) else rebuilt(value, self.hex)

    @register("test.received")
    def received(self, *args, **kwargs):
        return [type(arg).__name__ for arg in args], {name: type(value).__name__ for name, value in kwargs.items()}


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**53, 1.5, "", "text", "ü€😀\n\0", [], {}, [1, [2, {"a": None}]], {"a b.c": [{}]}],
    ids=repr,
)
async def test_values_come_back(generation, value):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        assert await peer.call("test.echo", value) == value


async def test_not_a_number_and_the_infinities_come_back(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        nan, *infinities = await peer.call("test.echo", [math.nan, math.inf, -math.inf])
        assert math.isnan(nan) and infinities == [math.inf, -math.inf]


async def test_args_and_kwargs(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        assert await peer.call("test.shape", 1) == [1, [], "default", {}]
        assert await peer.call("test.shape", 1, 2, named=3, other=4) == [1, [2], 3, {"other": 4}]
        assert await peer.call("test.shape", first=1) == [1, [], "default", {}]


async def test_args_and_kwargs_may_be_absent(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        await peer.send({"wslink": "1.0", "id": "rpc:x:1", "method": "test.echo"})
        assert (await peer.answer("rpc:x:1"))["result"] is None


async def test_the_answer_has_the_calls_id_and_nothing_else(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        await peer.send({"wslink": "1.0", "id": "rpc:any_id.at:77", "method": "test.echo", "args": [1], "kwargs": {}})
        assert await peer.receive() == {"wslink": "1.0", "id": "rpc:any_id.at:77", "result": 1}


@pytest.mark.parametrize(
    ("method", "result"),
    [("test.none", None), ("test.future", "from a future"), ("test.task", "from a task"), ("test.tuple", [1, [2, 3]])],
)
async def test_results(generation, method, result):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        assert await peer.call(method) == result


async def test_coroutine_methods_are_awaited(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        assert await peer.call("test.async", {"a": 1}) == {"a": 1}


async def test_methods_run_on_the_loops_thread():
    async with serving(Protocol(Calls())) as running:
        assert await (await running.connect()).call("test.thread") == threading.get_ident()


async def test_an_unknown_method(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        with pytest.raises(Failure) as failure:
            await peer.call("test.unknown", 1)
        assert vars(failure.value) == {"code": -32601, "message": "Unregistered method called", "data": "test.unknown"}


async def test_an_unknown_system_method(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        answer = await peer.ask("system:c0:1", "wslink.unknown", [])
        assert answer["error"]["code"] == -32601
        assert answer["error"]["message"] == "Unknown system method called"


@pytest.mark.parametrize(("method", "reason"), [("test.raise", "a reason"), ("test.araise", "a later reason")])
async def test_an_exception(generation, method, reason):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        with pytest.raises(Failure) as failure:
            await peer.call(method)
        assert (failure.value.code, failure.value.message) == (-32001, "Exception raised")
        assert failure.value.data["method"] == method
        assert failure.value.data["exception"] == f"ValueError('{reason}')"


async def test_wrong_arguments_are_an_exception(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        with pytest.raises(Failure) as failure:
            await peer.call("test.none", 1, 2)
        assert failure.value.code == -32001 and failure.value.data["exception"].startswith("TypeError(")


async def test_a_result_that_cannot_be_encoded(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        with pytest.raises(Failure) as failure:
            await peer.call("test.unencodable")
        assert vars(failure.value) == {
            "code": -32002,
            "message": "Method result cannot be serialized",
            "data": "test.unencodable",
        }
        assert await peer.call("test.echo", 1) == 1


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview"])
async def test_attachments_arrive_in_place(generation, kind):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        value = b"\x00\x01\xff"
        assert await peer.call("test.attached", kind) == {"list": [value, "text"], "again": value}


async def test_a_whole_result_may_be_an_attachment(generation):
    async with serving(Protocol(Calls())) as running:
        assert await (await running.connect(generation)).call("test.whole") == b"all of it"


@pytest.mark.skipif(VERSION.startswith("1."), reason="1.x wants addAttachment")
async def test_bytes_in_a_result_need_no_attachment(generation):
    async with serving(Protocol(Calls())) as running:
        result = await (await running.connect(generation)).call("test.bytes")
        assert result == {"hashes": {"abc": b"12345678", "def": b"xy"}}


async def test_bytes_from_a_client(generation):
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect(generation)
        data = bytes(range(256)) * 10
        assert await peer.call("test.received", b"x", 1, named=b"y") == [["bytes", "int"], {"named": "bytes"}]
        assert await peer.call("test.hex", [data, {"deep": [b"", b"x"]}]) == [data.hex(), {"deep": ["", "78"]}]


@second_generation
async def test_large_messages_travel_in_chunks():
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect("second")
        data = b"0123456789abcdef" * (9 * 65536)
        assert await peer.call("test.echo", data) == data


@second_generation
async def test_a_client_may_send_chunks_of_any_size():
    async with serving(Protocol(Calls())) as running:
        peer = await running.connect("second")
        peer.chunk_size = 60
        assert await peer.call("test.echo", "x" * 5000) == "x" * 5000


@second_generation
async def test_integer_keys_survive_in_results():
    class Keys(LinkProtocol):
        @register("keys.get")
        def get(self):
            return {1: "one", None: "none"}

    async with serving(Protocol(Keys())) as running:
        assert await (await running.connect("second")).call("keys.get") == {1: "one", None: "none"}


async def test_calls_on_different_connections_do_not_wait_for_each_other():
    class Gate(LinkProtocol):
        def __init__(self):
            self.gate = asyncio.Event()

        @register("gate.wait")
        async def wait(self):
            await self.gate.wait()

        @register("gate.open")
        def open(self):
            self.gate.set()

    async with serving(Protocol(Gate())) as running:
        one, two = await running.connect(), await running.connect()
        waiting = await one.post("gate.wait")
        await two.call("gate.open")
        assert (await one.answer(waiting))["result"] is None


async def test_a_connection_that_ends_during_a_call_harms_nobody():
    class Gate(LinkProtocol):
        def __init__(self):
            self.entered, self.gate = asyncio.Event(), asyncio.Event()

        @register("gate.wait")
        async def wait(self):
            self.entered.set()
            await self.gate.wait()
            return "too late"

        @register("gate.alive")
        def alive(self):
            return True

    async with serving(Protocol(gate := Gate())) as running:
        leaving, staying = await running.connect(), await running.connect()
        await leaving.post("gate.wait")
        await gate.entered.wait()
        closing = asyncio.ensure_future(leaving.close())
        await asyncio.sleep(0)
        gate.gate.set()
        await closing
        assert await staying.call("gate.alive") is True


class TestWhichMethods:
    """Whose function a method name means."""

    async def test_inherited_methods_count(self):
        class More(Calls):
            @register("more.own")
            def own(self):
                return "own"

        async with serving(Protocol(More())) as running:
            peer = await running.connect()
            assert await peer.call("more.own") == "own"
            assert await peer.call("test.echo", 1) == 1

    async def test_overriding_without_the_decorator_unregisters(self):
        class Less(Calls):
            def echo(self, value=None):
                return "overridden"

        async with serving(Protocol(Less())) as running:
            peer = await running.connect()
            with pytest.raises(Failure) as failure:
                await peer.call("test.echo", 1)
            assert failure.value.code == -32601

    async def test_the_later_protocol_wins(self):
        class Other(LinkProtocol):
            @register("test.echo")
            def echo(self, value=None):
                return "other"

        async with serving(Protocol(Calls(), Other())) as running:
            assert await (await running.connect()).call("test.echo", 1) == "other"

    async def test_the_server_protocol_wins_over_all(self):
        class Server(Protocol):
            @register("test.echo")
            def echo(self, value=None):
                return "server"

        async with serving(Server(Calls())) as running:
            assert await (await running.connect()).call("test.echo", 1) == "server"

    async def test_self_is_the_instance_that_was_registered(self):
        class Named(LinkProtocol):
            def __init__(self, name):
                self.name = name

            @register("named.name")
            def get(self):
                return self.name

        async with serving(Protocol(Named("the one"))) as running:
            assert await (await running.connect()).call("named.name") == "the one"

    async def test_a_software_may_call_through_the_uris_itself(self):
        """As trame's protocol_call does: by class attribute, outside of any connection."""
        protocol = Protocol(Calls())
        async with serving(protocol):
            methods = {}
            for owner in protocol.getLinkProtocols():
                for name in dir(type(owner)):
                    function = getattr(type(owner), name)
                    if "_wslinkuris" in getattr(function, "__dict__", {}):
                        methods[function.__dict__["_wslinkuris"][0]["uri"]] = owner, function
            owner, function = methods["test.echo"]
            assert function(owner, 5) == 5
            assert "application.exit" in methods
