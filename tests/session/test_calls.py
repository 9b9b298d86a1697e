"""Calls and their answers, over real sockets, in both generations."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.session.described import HELLO, both, describe
from wslink import App, Call, InvalidParams, MethodError


def _client_and_more(call: Call, **more: Any) -> list[Any]:
    return [call.client_id, more]


@both
async def test_a_call_has_its_result(app: App, serve: Serve, peers: Open, generation: int) -> None:
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    assert (await peer.call("test.light", 315))["result"] == {"azimuth": 315.0, "altitude": 45.0, "mode": "soft"}
    assert (await peer.call("test.light", 1, mode="hard", altitude=2))["result"]["mode"] == "hard"
    assert (await peer.call("test.shape", {"azimuth": 1}, [[1, 2]]))["result"] == ["Light", 45.0, "tuple"]
    assert (await peer.call("test.who"))["result"] == [peer.client_id, "test.who", True]


@both
@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ([], {}, "missing argument `azimuth`; its arguments: azimuth, altitude, mode"),
        (["x"], {}, "Expected `float`, got `str` - at `azimuth`"),
        ([1, 2, 3], {}, "takes at most 2 positional arguments, got 3"),
        ([1], {"azimuth": 1}, "argument 'azimuth' was given twice"),
        ([1], {"colour": 1}, "unknown argument 'colour'"),
    ],
)
async def test_wrong_arguments_are_named(
    app: App, serve: Serve, peers: Open, generation: int, args: list[Any], kwargs: dict[str, Any], says: str
) -> None:
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    error = (await peer.call("test.light", *args, **kwargs))["error"]
    assert error["code"] == -32602
    assert error["message"].startswith("test.light: ")
    assert says in error["message"]
    assert error["data"] == "test.light"


@both
async def test_a_client_cannot_send_the_call(app: App, serve: Serve, peers: Open, generation: int) -> None:
    app.method("test.keywords")(_client_and_more)
    peer = await peers(await serve(app), generation, hello=HELLO)
    error = (await peer.call("test.keywords", call={"client_id": "another"}))["error"]
    assert (error["code"], error["message"][:39]) == (-32602, "test.keywords: unknown argument 'call';")


ONLY_FOR_THE_TYPE_CHECKER = """
def plain(call: "Call"): return call.method
def qualified(call: "wslink.Call"): return call.method
def optional(call: "Call | None" = None): return call.method
"""


async def test_the_call_is_passed_though_its_class_is_imported_for_the_type_checker_only(
    app: App, serve: Serve, peers: Open
) -> None:
    functions: dict[str, Any] = {}
    exec(ONLY_FOR_THE_TYPE_CHECKER, functions)
    peer = await peers(await serve(app), hello=HELLO)
    for name in ("plain", "qualified", "optional"):
        app.method(f"test.{name}")(functions[name])
        assert (await peer.call(f"test.{name}"))["result"] == f"test.{name}"
        assert (await peer.call(f"test.{name}", {"method": "forged"}))["error"]["code"] == -32602


async def test_the_call_stands_where_the_signature_has_it(app: App, serve: Serve, peers: Open) -> None:
    @app.method("test.rest")
    def rest(first: int, call: Call, *others: int) -> list[Any]:
        return [first, call.method, *others]

    @app.method("test.only")
    def only(call: Call, value: int, /) -> list[Any]:
        return [call.method, value]

    peer = await peers(await serve(app), hello=HELLO)
    assert (await peer.call("test.rest", 1, 2, 3))["result"] == [1, "test.rest", 2, 3]
    assert (await peer.call("test.rest", 1))["result"] == [1, "test.rest"]
    assert (await peer.call("test.only", 7))["result"] == ["test.only", 7]


@both
async def test_each_failure_has_its_code(
    app: App, serve: Serve, peers: Open, generation: int, caplog: pytest.LogCaptureFixture
) -> None:
    """ERR-4."""
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    with caplog.at_level(logging.CRITICAL, "wslink"):
        unknown = (await peer.call("test.nothing"))["error"]
        raised = (await peer.call("test.fail", "value"))["error"]
        chosen = (await peer.call("test.fail", "method"))["error"]
        unsendable = (await peer.call("test.object"))["error"]
    assert unknown == {"code": -32601, "message": "Unregistered method called", "data": "test.nothing"}
    data = {"method": "test.fail", "exception": "ValueError('no')"}
    assert raised == {"code": -32001, "message": "Exception raised", "data": data}
    assert chosen == {"code": 7, "message": "too steep", "data": {"max": 30}}
    assert unsendable == {"code": -32002, "message": "Method result cannot be serialized", "data": "test.object"}


class Picky(Mapping[str, int]):
    """A map of the application's whose iteration fails."""

    def __iter__(self) -> Iterator[str]:
        raise LookupError("no keys today")

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: str) -> int:
        return 1


@dataclasses.dataclass
class Small:
    value: int

    def __post_init__(self) -> None:
        {0: "zero"}[self.value]


@both
async def test_whatever_an_application_raises_ends_nobodys_connection(
    app: App, serve: Serve, peers: Open, generation: int, caplog: pytest.LogCaptureFixture
) -> None:
    """ERR-1."""

    @app.method("test.small")
    def small(value: Small) -> int:
        return value.value

    @app.method("test.cancelled")
    def cancelled() -> None:
        raise asyncio.CancelledError

    @app.method("test.picky")
    def picky() -> Any:
        return Picky()

    peer = await peers(await serve(app), generation, hello=HELLO)
    with caplog.at_level(logging.CRITICAL, "wslink"):
        for method, args, code in (
            ("test.small", [{"value": 1}], -32001),
            ("test.cancelled", [], -32001),
            ("test.picky", [], -32002),
        ):
            assert (await peer.call(method, *args))["error"]["code"] == code
    assert (await peer.call("test.small", {"value": 0}))["result"] == 0


async def test_stack_traces_are_sent_in_debug_mode_only(app: App, serve: Serve, peers: Open) -> None:
    """ERR-2."""
    describe(app)
    peer = await peers(await serve(app, debug=True), hello=HELLO)
    error = (await peer.call("test.fail", "value"))["error"]
    assert "Traceback" in error["data"]["trace"]
    logging.getLogger("wslink").setLevel(logging.NOTSET)


@both
async def test_values_survive_both_ways(app: App, serve: Serve, peers: Open, generation: int) -> None:
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    value = {"list": [1, -2.5, True, None, "ü ∞"], "map": {"deep": [{"er": []}]}}
    assert (await peer.call("test.echo", value))["result"] == value
    numbers = (await peer.call("test.echo", [math.nan, math.inf, -math.inf]))["result"]
    assert [str(number) for number in numbers] == ["nan", "inf", "-inf"]


async def test_binary_travels_both_ways_in_the_second_generation(app: App, serve: Serve, peers: Open) -> None:
    describe(app)
    peer = await peers(await serve(app), hello=HELLO)
    data = bytes(range(256)) * 40_000  # more than one frame each way
    assert (await peer.call("test.echo", {"a": [data, b"x"]}))["result"] == {"a": [data, b"x"]}


async def test_binary_travels_both_ways_in_the_first_generation(app: App, serve: Serve, peers: Open) -> None:
    """G1-10."""
    describe(app)
    peer = await peers(await serve(app), 1, hello=HELLO)
    data = bytes(range(256)) * 10_000
    key = await peer.attach("wslink_bin1", data)
    assert (await peer.call("test.echo", {"a": [key, "wslink_bin1x"]}))["result"] == {"a": [data, "wslink_bin1x"]}
    await peer.attach("wslink_bin2", b"whole")
    assert (await peer.call("test.echo", "wslink_bin2"))["result"] == b"whole"


@both
async def test_an_array_is_plain_bytes_for_a_client_that_knows_no_arrays(
    app: App, serve: Serve, peers: Open, generation: int
) -> None:
    array = numpy.arange(6, dtype="<f4").reshape(2, 3)
    app.method("test.array")(lambda: {"small": array, "large": numpy.zeros(100_000, "u1")})
    peer = await peers(await serve(app), generation, hello=HELLO)
    result = (await peer.call("test.array"))["result"]
    assert result == {"small": array.tobytes(), "large": bytes(100_000)}


async def test_a_slow_async_method_delays_nobody(app: App, serve: Serve, peers: Open) -> None:
    describe(app)
    gate = asyncio.Event()

    @app.method("test.slow")
    async def slow() -> str:
        await gate.wait()
        return "slow"

    peer = await peers(await serve(app), hello=HELLO)
    slow_id = await peer.start("test.slow")
    assert (await peer.call("test.echo", "quick"))["result"] == "quick"
    gate.set()
    assert (await peer.answer(slow_id))["result"] == "slow"


async def test_sync_methods_run_on_the_event_loops_thread_and_others_in_a_pool(
    app: App, serve: Serve, peers: Open
) -> None:
    app.method("test.here")(lambda: threading.current_thread() is threading.main_thread())
    app.method("test.there", thread=True)(lambda: threading.current_thread().name.startswith("wslink"))
    peer = await peers(await serve(app), hello=HELLO)
    assert (await peer.call("test.here"))["result"] is True
    assert (await peer.call("test.there"))["result"] is True


async def test_one_clients_close_does_not_end_what_others_wait_for(app: App, serve: Serve, peers: Open) -> None:
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    url = await serve(app)
    leaving, staying = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    await leaving.start("test.wait")
    waiting = await staying.start("test.wait")
    await leaving.close()
    gate.set()
    assert (await staying.answer(waiting))["result"] is True


def test_a_bad_registration_is_refused() -> None:
    """MSG-5."""
    app = App()

    async def job() -> None: ...

    with pytest.raises(ValueError, match="method name 'Bad'"):
        app.method("Bad")(job)
    with pytest.raises(ValueError, match="thread=True"):
        app.method("a.b", thread=True)(job)
    app.method("a.b")(job)
    with pytest.raises(ValueError, match="registered already"):
        app.method("a.b")(job)


@both
@pytest.mark.parametrize(
    ("message", "data", "told", "of_data"),
    [
        ("too steep", object(), "too steep", "the data of this error cannot be sent: a value of type object"),
        ("too steep", {"a": [{1, 2}, object()]}, "too steep", "the data of this error cannot be sent: a value of type"),
        ("too steep", "\ud800", "too steep", "the data of this error cannot be sent: "),
        ("steep \ud800", {"max": 30}, "steep \\ud800", {"max": 30}),
        ("steep \ud800", object(), "steep \\ud800", "the data of this error cannot be sent: "),
        (ValueError("a"), {"max": 30}, "a", {"max": 30}),
    ],
)
async def test_a_failure_whose_data_cannot_be_sent_says_so(
    app: App, serve: Serve, peers: Open, generation: int, message: Any, data: Any, told: str, of_data: Any
) -> None:
    """ERR-3."""

    @app.method("test.data")
    def fail() -> None:
        raise MethodError(message, data, code=7)

    peer = await peers(await serve(app), generation, hello=HELLO)
    error = (await peer.call("test.data"))["error"]
    assert (error["code"], error["message"]) == (7, told)
    assert error["data"].startswith(of_data) if isinstance(of_data, str) else error["data"] == of_data


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class Fatal(BaseException):
    pass


@both
@pytest.mark.parametrize("kind", ["sync", "async", "awaitable", "thread"])
@pytest.mark.parametrize(
    "error",
    [
        StopIteration("s"), StopAsyncIteration("s"), SystemExit(2), KeyboardInterrupt(), GeneratorExit(), Fatal("f"),
        asyncio.CancelledError(), concurrent.futures.CancelledError(), RecursionError("r"),
    ],
    ids=repr,
)  # fmt: skip
async def test_whatever_a_method_raises_is_answered(
    app: App, serve: Serve, peers: Open, generation: int, kind: str, error: BaseException
) -> None:
    fail = raising(error)

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    async def fail_at_once() -> None:
        fail()

    app.method("test.fail", thread=kind == "thread")(
        {"async": fail_later, "awaitable": lambda: fail_at_once()}.get(kind, fail)
    )
    app.method("test.one")(lambda: 1)
    url = await serve(app)
    peer, other = await peers(url, generation, hello=HELLO), await peers(url, hello=HELLO)
    for _ in range(2):
        answer = (await peer.call("test.fail"))["error"]
        assert (answer["code"], answer["message"]) == (-32001, "Exception raised")
    assert app._hub.service.under_way == 0
    for one in (peer, other):
        assert (await one.call("test.one"))["result"] == 1


async def test_an_error_of_the_library_raised_by_a_method_keeps_its_code(app: App, serve: Serve, peers: Open) -> None:
    @app.method("test.params")
    def params() -> None:
        raise InvalidParams("row must be below 10")

    peer = await peers(await serve(app), hello=HELLO)
    assert (await peer.call("test.params"))["error"] == {"code": -32602, "message": "row must be below 10"}
