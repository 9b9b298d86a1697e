"""Calls under way, without a session or a socket: the table, cancellation, where methods run, interceptors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from wslink import Call, MethodError, UsageError
from wslink.rpc.call import current_call
from wslink.rpc.dispatcher import Dispatcher, Service
from wslink.rpc.methods import Method, run_of
from wslink.wire.limits import Limits
from wslink.wire.messages import Request


class Caller:
    id = "c1"
    user = address = ""
    attributes: Mapping[str, Any] = MappingProxyType({})

    def disconnect(self, reason: str = "") -> None: ...


class End:
    """One end of a connection, with what it sent."""

    streams = None

    def __init__(self, executors: dict[str, Callable[[Callable[[], Any]], Awaitable[Any]]] | None = None) -> None:
        self.sent: dict[str, Any] = {}
        self.fullness: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.service = Service("app", self._spawn, executors or {}, Limits(max_calls=2))
        self.dispatcher = Dispatcher(self.service, self)

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        self.tasks.append(asyncio.ensure_future(coroutine))
        return self.tasks[-1]

    def result(self, id_: str, value: Any, method: str | None = None) -> None:
        self.sent[id_] = value

    def encoded(self, id_: str, value: Any, method: str) -> Any:
        return value

    def error(self, id_: str, code: int, message: str, data: Any = None, method: str | None = None) -> None:
        self.sent[id_] = (code, data.get("exception") if isinstance(data, dict) else message)

    def unknown(self, request: Request) -> None:
        self.sent[request.id] = "unknown"

    def full(self) -> None:
        self.fullness.append("full")

    def room(self) -> None:
        self.fullness.append("room")

    def add(self, function: Callable[..., Any], **options: Any) -> None:
        self.service.methods.add(Method("a.b", function, **options))

    def call(self, id_: str, *args: Any) -> None:
        self.dispatcher.start(Request("a.b", id_, list(args)), Caller())

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_a_call_stands_in_the_table_until_it_has_ended() -> None:
    end, gate = End(), asyncio.Event()

    async def wait() -> str:
        await gate.wait()
        return "done"

    end.add(wait)
    end.call("1")
    end.call("2")
    assert (end.dispatcher.under_way, end.service.under_way) == (2, 2)
    assert end.fullness == ["full"]  # LIM-10: what was taken is run all the same
    end.call("3")
    assert end.sent == {}
    gate.set()
    await end.finish()
    assert end.sent == {"1": "done", "2": "done", "3": "done"}
    assert end.fullness[-1] == "room"
    assert (end.dispatcher.under_way, end.service.under_way) == (0, 0)


async def test_an_unknown_method_is_the_responders() -> None:
    end = End()
    end.call("1")
    assert end.sent == {"1": "unknown"}


async def test_a_call_is_cancelled_by_its_id() -> None:
    end, ended = End(), list[str]()

    async def wait(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    end.add(wait)
    end.call("1", "one")
    end.call("2", "two")
    await asyncio.sleep(0)
    assert end.dispatcher.cancel("1")
    assert not end.dispatcher.cancel("unknown")
    await asyncio.sleep(0.01)
    assert (end.sent, ended) == ({"1": (-32800, "Cancelled")}, ["one"])
    end.dispatcher.leave()
    await end.finish()
    assert (end.sent["2"], ended) == ((-32800, "Cancelled"), ["one", "two"])


async def test_a_call_that_is_cancelled_before_it_has_begun_never_begins() -> None:
    """CAN-2."""
    end, begun = End(), list[str]()

    async def wait() -> None:
        begun.append("async")

    end.add(wait)
    end.call("1")
    end.dispatcher.cancel("1")
    await end.finish()
    assert (end.sent, begun, end.service.under_way) == ({"1": (-32800, "Cancelled")}, [], 0)


async def test_a_function_whose_thread_had_not_begun_never_begins() -> None:
    begun, jobs = list[str](), list[Callable[[], Any]]()

    def elsewhere(function: Callable[[], Any]) -> Awaitable[Any]:
        jobs.append(function)
        return asyncio.get_running_loop().create_future()

    end = End({"thread": elsewhere})
    end.add(lambda: begun.append("thread"), run="thread")
    end.call("1")
    await asyncio.sleep(0)
    end.dispatcher.cancel("1")
    await end.finish()
    jobs[0]()  # its turn comes nevertheless
    assert (end.sent, begun) == ({"1": (-32800, "Cancelled")}, [])


@pytest.mark.parametrize("ending", ["returns", "raises", "refuses"])
async def test_a_cancelled_call_is_answered_as_cancelled_whatever_it_does(
    ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    """CAN-1."""
    end = End()

    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ending == "raises":
                raise ValueError("while it ends") from None
            if ending == "refuses":
                raise MethodError("not now") from None
        return "all the same"

    end.add(wait)
    end.call("1")
    await asyncio.sleep(0)
    end.dispatcher.cancel("1")
    await end.finish()
    assert end.sent == {"1": (-32800, "Cancelled")}
    assert ("while it ends" in caplog.text) == (ending == "raises")


async def test_a_detached_call_outlives_its_client() -> None:
    end, gate = End(), asyncio.Event()

    async def wait() -> str:
        await gate.wait()
        return "done"

    end.add(wait, detached=True)
    end.call("1")
    end.dispatcher.leave()
    await asyncio.sleep(0.01)
    assert (end.sent, end.service.adrift) == ({}, 1)
    gate.set()
    await end.finish()
    assert (end.sent, end.service.adrift) == ({"1": "done"}, 0)


async def test_calls_that_share_an_id_are_all_answered() -> None:
    end, answered = End(), list[str]()
    end.result = lambda id_, value, method=None: answered.append(id_)  # type: ignore[method-assign]

    async def wait() -> None:
        await asyncio.sleep(0)

    end.add(wait)
    end.call("1")
    end.call("1")
    await end.finish()
    assert answered == ["1", "1"]
    assert end.service.under_way == 0


async def test_a_method_runs_where_it_says() -> None:
    async def elsewhere(function: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(function)

    end = End({"thread": elsewhere, "main": elsewhere})
    for name, run in (("a.loop", "loop"), ("a.thread", "thread"), ("a.main", "main")):
        end.service.methods.add(Method(name, lambda: threading.get_ident(), run=run))  # type: ignore[arg-type]
        end.dispatcher.start(Request(name, name, []), Caller())
    await end.finish()
    here = threading.get_ident()
    assert (end.sent["a.loop"], end.sent["a.thread"] != here, end.sent["a.main"] != here) == (here, True, True)


async def test_main_is_the_loop_where_an_application_has_no_thread_of_its_own() -> None:
    end = End()
    end.add(threading.get_ident, checked=False, run="main")
    end.call("1")
    assert end.sent == {"1": threading.get_ident()}


def test_options_of_where_to_run() -> None:
    assert (run_of(None, False), run_of(None, True), run_of("thread", True)) == (None, "thread", "thread")
    with pytest.raises(UsageError, match="contradict"):
        run_of("main", True)
    with pytest.raises(UsageError, match="one of loop, thread, main"):
        Method("a.b", len, run="elsewhere")  # type: ignore[arg-type]


async def test_interceptors_stand_around_the_method_in_their_order() -> None:
    end, seen = End(), list[Any]()

    def naming(label: str) -> Callable[[str, Callable[..., Any]], Callable[..., Any]]:
        def intercept(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                call_under_way = current_call.get()
                assert call_under_way is not None
                seen.append((label, name, call_under_way.id))
                return function(*args, **kwargs)

            return call

        return intercept

    def method(value: int, call: Call) -> int:
        seen.append(call.client_id)
        return value + 1

    end.add(method, interceptors=[naming("outer"), naming("inner")])
    end.call("7", 1)
    assert end.sent == {"7": 2}
    assert seen == [("outer", "a.b", "7"), ("inner", "a.b", "7"), "c1"]
