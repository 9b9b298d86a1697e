"""What becomes of calls, to the letter: results, errors, what is held back, refused and logged; without a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from wslink import Call, InvalidParams, MethodError
from wslink.errors import NotAuthorized
from wslink.rpc.dispatcher import Dispatcher, Service
from wslink.rpc.methods import Method
from wslink.rpc.streams import Streams
from wslink.wire.limits import Limits
from wslink.wire.messages import Request

CANCELLED = ("error", "1", -32800, "Cancelled", "a.b")


class Caller:
    user = address = ""

    def __init__(self, id_: str = "c1") -> None:
        self.id = id_
        self.attributes: dict[str, Any] = {}

    def disconnect(self, reason: str = "") -> None: ...


class End:
    """One end of a connection, with all that it was given."""

    def __init__(self, service: Service | None = None, debug: bool = False, **limits: Any) -> None:
        self.given: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.streams: Any = None
        self.reported: list[Any] = []
        self.service = service or Service("app", self._spawn, {}, Limits(**limits), debug)
        self.dispatcher = Dispatcher(self.service, self)

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        self.tasks.append(asyncio.ensure_future(coroutine))
        return self.tasks[-1]

    def result(self, id_: str, value: Any, method: str | None = None) -> None:
        self.given.append(("result", id_, value, method))

    def encoded(self, id_: str, value: Any, method: str) -> Any:
        return ("encoded", id_, value, method)

    def error(self, id_: str, code: int, message: str, data: Any = None, method: str | None = None) -> None:
        self.given.append(("error", id_, code, message, data))

    def unknown(self, request: Request) -> None:
        self.given.append(("unknown", request.id))

    def reporter(self, call: Call) -> Callable[[Any], None]:
        return self.reported.append

    def full(self) -> None:
        self.given.append("full")

    def room(self) -> None:
        self.given.append("room")

    def add(self, function: Callable[..., Any], **options: Any) -> None:
        self.service.methods.add(Method("a.b", function, **options), True)

    def call(self, id_: str, *args: Any, **options: Any) -> None:
        self.dispatcher.start(Request("a.b", id_, list(args), **options), Caller(), 3.5)

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks)


async def waits() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_a_result_is_given_with_its_call() -> None:
    end, seen = End(), list[Call]()

    def method(a: int, call: Call) -> int:
        seen.append(call)
        return a

    async def later(a: int, call: Call) -> int:
        seen.append(call)
        assert not call.answered
        return a

    for function in (method, later):
        end.add(function)
        end.call("7", 1)
        await end.finish()
        call = seen.pop()
        assert (call.id, call.method, call.app, call.client_id, call.arrived) == ("7", "a.b", "app", "c1", 3.5)
        assert (call.answered, call.cancelled, call.report, repr(call)) == (True, False, None, "<Call 7 of a.b>")
        assert (call.streams, dict(call.lengths)) == (None, {})
        assert end.given.pop() == ("result", "7", 1, "a.b")
    assert (end.given, end.service.busy, end.dispatcher.ids) == ([], 0, [])
    assert not End().dispatcher.cancel("7")
    End().dispatcher.leave()


async def test_a_call_is_progress_s_where_that_is_asked_for() -> None:
    end = End()

    def method(call: Call) -> None:
        call.progress("half")

    end.add(method)
    end.call("1", progress=True)
    end.call("2")
    assert end.reported == ["half"]


class Loud(Exception):
    def __repr__(self) -> str:
        return "x" * 5000


class Mute(Exception):
    def __repr__(self) -> str:
        raise RuntimeError


def data_of(exception: str) -> dict[str, str]:
    return {"method": "a.b", "exception": exception}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no"), (-32001, "Exception raised", data_of("ValueError('no')"))),
        (Loud(), (-32001, "Exception raised", data_of("x" * 4096))),
        (Mute(), (-32001, "Exception raised", data_of("<Mute>"))),
        (SystemExit(3), (-32001, "Exception raised", data_of("SystemExit(3)"))),
        (MethodError("steep", {"a": 1}, 7), (7, "steep", {"a": 1})),
        (MethodError("steep"), (-32001, "steep", None)),
        (InvalidParams("wrong", "data"), (-32602, "wrong", "data")),
        (asyncio.CancelledError(), (-32001, "Exception raised", data_of("cancelled"))),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_what_a_method_raises_is_an_error(error: BaseException, told: Any, caplog: Any) -> None:
    end, seen = End(), list[Call]()

    def now(call: Call) -> None:
        seen.append(call)
        raise error

    async def later(call: Call) -> None:
        seen.append(call)
        raise error

    chosen = isinstance(error, (MethodError, InvalidParams, asyncio.CancelledError))
    for function in (now, later):
        caplog.clear()
        end.add(function)
        end.call("1")
        await asyncio.gather(*end.tasks, return_exceptions=True)
        assert end.given.pop() == ("error", "1", *told)
        assert seen[-1].answered
        assert seen[-1].cancelled == isinstance(error, asyncio.CancelledError)
        logged = [(one.levelname, one.getMessage(), one.exc_info[1]) for one in caplog.records]
        assert logged == ([] if chosen else [("ERROR", "method a.b of client c1 raised", error)])


async def test_in_debug_mode_an_error_carries_the_trace() -> None:
    end = End(debug=True)

    def raising() -> None:
        raise ValueError("no")

    end.add(raising)
    end.call("1")
    _, id_, code, message, data = end.given.pop()
    assert (id_, code, message) == ("1", -32001, "Exception raised")
    trace = data.pop("trace")
    assert data == data_of("ValueError('no')")
    assert trace.startswith("Traceback (most recent call last):\n  File ")
    assert trace.endswith('raise ValueError("no")\nValueError: no\n')
    end.add(waits)
    end.call("2")
    await asyncio.sleep(0)
    end.tasks[0].cancel()
    await asyncio.wait(end.tasks)
    assert end.given == [("error", "2", -32001, "Exception raised", data_of("cancelled"))]


async def test_a_method_that_a_client_may_not_call() -> None:
    end, asked = End(), list[Any]()

    def refuse(caller: Any, method: str) -> Any:
        asked.append((caller.id, method))
        return NotAuthorized("not you", "a.b") if len(asked) == 1 else None

    end.service.refuse = refuse
    end.add(lambda: 5)
    end.call("1")
    end.call("2")
    assert end.given == [("error", "1", -32004, "not you", "a.b"), ("result", "2", 5, "a.b")]
    assert asked == [("c1", "a.b")] * 2


async def test_a_client_is_full_at_its_calls_and_has_room_below_them() -> None:
    end, gates = End(max_calls=2), [asyncio.Event() for _ in range(3)]

    async def wait(n: int) -> int:
        await gates[n].wait()
        return n

    end.add(wait)
    end.call("0", 0)
    assert (end.given, end.dispatcher.full, end.service.busy) == ([], False, 1)
    end.call("1", 1)
    end.call("2", 2)
    assert (end.given, end.dispatcher.full, end.service.busy) == (["full"], True, 1)
    assert (end.dispatcher.ids, end.dispatcher.under_way, end.service.under_way) == (["0", "1", "2"], 3, 3)
    for n in range(3):
        gates[n].set()
        await end.tasks[n]
    results = [("result", str(n), n, "a.b") for n in range(3)]
    assert end.given == ["full", results[0], results[1], "room", results[2]]
    assert (end.dispatcher.full, end.service.busy, end.service.under_way) == (False, 0, 0)


async def test_the_share_of_a_client_on_a_full_server() -> None:
    """LIM-10: each has an even part of the whole, less its part of what is over that."""
    first = End(max_calls=10, max_server_calls=4)
    second = End(first.service)
    first.add(waits)
    for n in range(3):
        first.call(str(n))
    second.call("a")
    assert (first.dispatcher.full, second.dispatcher.full) == (False, False)  # 4 of 4, of which the second has 1
    second.call("b")
    assert (first.dispatcher.full, second.dispatcher.full) == (False, True)  # one over: (4 - 1) // 2
    first.call("3")
    assert first.dispatcher.full
    alone = End(max_calls=10, max_server_calls=4)
    alone.add(waits)
    fullness = []
    for n in range(4):
        alone.call(str(n))
        fullness.append(alone.dispatcher.full)
    assert fullness == [False, False, False, True]
    for end in (first, second, alone):
        end.dispatcher.leave()
    await asyncio.wait([*first.tasks, *alone.tasks], timeout=5)
    assert (first.service.under_way, alone.service.under_way) == (0, 0)


async def test_beside_a_stream_that_is_read_small_calls_wait_and_others_are_refused() -> None:
    """STR-6."""
    end, gate = End(max_calls=2), asyncio.Event()

    async def wait(text: str = "") -> str:
        await gate.wait()
        return text

    end.streams = SimpleNamespace(reading=1)
    end.add(wait)
    for n in range(5):
        end.call(str(n), "x" * (257 if n == 3 else 256))
    why = "over max_calls (2) calls are under way, streams among them"
    refused = ("error", "3", -32003, why, "a.b")
    assert end.given == ["full", refused]
    assert (end.dispatcher.ids, end.dispatcher.under_way) == (["0", "1", "2", "4"], 2)
    end.call("5")
    assert end.given[2:] == [("error", "5", -32003, why, "a.b")]  # two wait
    assert end.dispatcher.cancel("4")
    assert end.given[3:] == [("error", "4", -32800, "Cancelled", "a.b")]
    assert (end.dispatcher.ids, end.dispatcher.cancel("4")) == (["0", "1", "2"], False)
    end.streams.reading = 0
    end.call("6")
    assert end.dispatcher.under_way == 3
    gate.set()
    await asyncio.sleep(0.01)
    assert [one[1] for one in end.given if one[0] == "result"] == ["0", "1", "6", "2"]
    assert end.given[-1][0] == "result"
    assert "room" in end.given


async def test_what_waits_is_forgotten_when_its_client_goes() -> None:
    end = End(max_calls=1)
    end.streams = SimpleNamespace(reading=1)
    end.add(waits)
    end.call("1")
    end.call("2")
    end.dispatcher.leave()
    await end.finish()
    assert end.given == ["full", CANCELLED, "room"]


async def test_of_detached_calls_so_many_go_on() -> None:
    end, gate = End(max_calls=2), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    end.add(wait, detached=True)
    for n in range(3):
        end.call(str(n))
    end.dispatcher.leave()
    assert end.service.adrift == 2
    gate.set()
    await end.finish()
    assert [one[:2] for one in end.given if one[0] in ("result", "error")] == [
        ("error", "2"),
        ("result", "0"),
        ("result", "1"),
    ] or sorted(one[1] for one in end.given if one[0] == "result") == ["0", "1"]
    assert (end.service.adrift, end.service.under_way, end.service.busy) == (0, 0, 0)


async def test_a_newer_call_takes_the_place_of_one_that_waits() -> None:
    """TURN-5."""
    end, gate, seen = End(), asyncio.Event(), list[Any]()

    async def work(n: int, call: Call) -> int:
        seen.append((n, call.arrived))
        await gate.wait()
        return n

    end.add(work, latest=True)
    for n in range(3):
        end.call(str(n), n)
        await asyncio.sleep(0.001)
    gate.set()
    await end.finish()
    assert end.given == [
        ("error", "1", -32801, "Superseded by a newer call", "a.b"),
        ("result", "0", 0, "a.b"),
        ("result", "2", 2, "a.b"),
    ]
    assert seen == [(0, 3.5), (2, 3.5)]


async def test_what_a_call_is_told_of_streams_that_it_cannot_have() -> None:
    async def streamed() -> AsyncIterator[int]:
        yield 1

    end = End()
    end.add(streamed)
    end.call("1")
    end.call("2", stream=3)
    end.streams = Streams(None, 8, 100)  # type: ignore[arg-type]
    end.call("3", stream=9)
    end.call("4", stream=-1)
    end.add(lambda: None)
    end.call("5", stream=1)
    over = "'stream' is a number of items, from 0 to max_stream_window (8)"
    await end.finish()
    assert end.given == [
        ("error", "1", -32602, "method 'a.b' streams its results: use link.stream instead of link.call", "a.b"),
        ("error", "2", -32600, "method 'a.b' streams its results, and the client did not announce 'stream'", None),
        ("error", "3", -32003, over, None),
        ("error", "4", -32003, over, None),
        ("error", "5", -32602, "method 'a.b' does not stream: use link.call instead of link.stream", "a.b"),
    ]


async def test_a_result_of_a_thread_is_encoded_there() -> None:
    async def elsewhere(function: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(function)

    end = End()
    end.service.executors = {"thread": elsewhere}
    seen = list[Call]()

    def method(call: Call) -> int:
        seen.append(call)
        return 5

    end.add(method, run="thread")
    end.dispatcher.start(Request("a.b", "1", []), Caller())
    await end.finish()
    assert end.given == [("result", "1", ("encoded", "1", 5, "a.b"), "a.b")]
    assert seen[0].arrived > 0

    def raising() -> None:
        raise StopIteration("no")

    end.add(raising, run="thread")
    with_log = logging.getLogger("wslink")
    assert with_log.isEnabledFor(logging.ERROR)
    end.call("2")
    await end.finish()
    assert end.given[1:] == [("error", "2", -32001, "Exception raised", data_of("StopIteration('no')"))]
