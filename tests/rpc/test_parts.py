"""Small parts of calls, each by itself: turns, progress, what runs elsewhere, names, priorities, definitions again."""

from __future__ import annotations

import asyncio
import builtins
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from wslink import Call, CallError, MethodError, UsageError
from wslink.errors import NotSerializable, Superseded
from wslink.rpc import redefinition
from wslink.rpc.discarding import Concluded, discard
from wslink.rpc.elsewhere import Raised, serve
from wslink.rpc.interceptors import status_of
from wslink.rpc.latest import LatestCalls, Turn
from wslink.rpc.pending import PendingCalls, call_error
from wslink.rpc.priority import lane_of
from wslink.rpc.progress import Reporter
from wslink.rpc.resolution import resolve, target_of
from wslink.rpc.streaming import is_small
from wslink.rpc.suggest import Suggestions
from wslink.wire.extensions import STREAM_KEY, Extension
from wslink.wire.messages import Request


def call_of() -> Call:
    return Call(Client(), "a.b", None, "1")  # type: ignore[arg-type]


class Client:
    id = "c1"


class Encoding:
    def encoded(self, id_: str, value: Any, method: str) -> Any:
        if value is Encoding:
            raise NotSerializable("a class")
        return (id_, value, method)


async def test_a_turn_goes_to_the_newest_that_waits() -> None:
    turns, ran, gate = LatestCalls(), list[int](), asyncio.Event()

    async def work(n: int) -> int:
        ran.append(n)
        await gate.wait()
        return n

    calls = [asyncio.ensure_future(turns.run("a.b", lambda n=n: work(n))) for n in range(4)]  # type: ignore[misc]
    other = asyncio.ensure_future(turns.run("a.c", lambda: 7))
    await asyncio.sleep(0.001)
    assert (ran, await other) == ([3], 7)
    last = asyncio.ensure_future(turns.run("a.b", lambda: 8))
    gate.set()
    for call in calls[:3]:
        with pytest.raises(Superseded) as caught:
            await call
        assert (caught.value.message, caught.value.data) == ("Superseded by a newer call", "a.b")
    assert (await calls[3], await last) == (3, 8)
    assert await turns.run("a.b", lambda: 9) == 9


async def test_a_turn_that_is_not_taken_is_free_again() -> None:
    turn = Turn()
    turn.wait("a.b").cancel()
    await asyncio.sleep(0)
    mine = turn.wait("a.b")
    await asyncio.sleep(0)
    assert mine.done()
    following = turn.wait("a.b")
    await asyncio.sleep(0)
    assert not following.done()
    turn.leave()
    assert not following.done()
    await asyncio.sleep(0)
    assert following.result() is None


async def test_progress_of_other_threads_is_the_newest_between_two_turns() -> None:
    call, prepared, sent = call_of(), list[Any](), list[Any]()

    def prepare(id_: str, value: Any) -> Callable[[], None]:
        prepared.append((id_, value))
        return lambda: sent.append(value)

    report = Reporter(call, prepare)
    report(1)
    assert (prepared, sent) == ([("1", 1)], [1])
    for values in ((2, 3), (4, 5)):
        thread = threading.Thread(target=lambda values=values: [report(value) for value in values])  # type: ignore[misc]
        thread.start()
        thread.join()
        await asyncio.sleep(0)
    assert sent == [1, 3, 5]
    first = Reporter(call, prepare)
    thread = threading.Thread(target=first, args=(7,))
    thread.start()
    thread.join()
    await asyncio.sleep(0)
    assert sent.pop() == 7
    thread = threading.Thread(target=report, args=(6,))
    thread.start()
    thread.join()
    call.answered = True
    await asyncio.sleep(0)
    assert sent == [1, 3, 5]


def test_progress_is_reported_while_the_call_is_under_way() -> None:
    for field in ("answered", "cancelled"):
        call, seen = call_of(), list[Any]()
        call.progress(0)
        call.report = seen.append
        call.progress(1)
        setattr(call, field, True)
        call.progress(2)
        assert seen == [1]
    cancelled = call_of()
    cancelled.raise_if_cancelled()
    cancelled.cancelled = True
    with pytest.raises(asyncio.CancelledError):
        cancelled.raise_if_cancelled()


async def test_what_runs_elsewhere_comes_back_encoded(caplog: pytest.LogCaptureFixture) -> None:
    async def later(a: int) -> int:
        return a

    async def failing() -> None:
        raise ValueError("later")

    def fail() -> None:
        raise ValueError("now")

    call = call_of()
    assert serve(Encoding(), call, lambda a, b: a + b, [1], {"b": 2}) == ("1", 3, "a.b")
    assert await serve(Encoding(), call, later, [4], {}) == ("1", 4, "a.b")
    for raised in (serve(Encoding(), call, fail, [], {}), await serve(Encoding(), call, failing, [], {})):
        assert type(raised) is Raised
        assert type(raised.error) is ValueError
    unsendable = serve(Encoding(), call, lambda: Encoding, [], {})
    assert isinstance(unsendable.error, NotSerializable)
    assert caplog.records == []

    def fail_cancelled() -> None:
        call.cancelled = True
        raise ValueError("nobody waits")

    serve(Encoding(), call, fail_cancelled, [], {})
    logged = [(one.levelno, one.getMessage(), str(one.exc_info[1])) for one in caplog.records if one.exc_info]
    assert logged == [(logging.ERROR, "method a.b of client c1 raised", "nobody waits")]
    given_up = serve(Encoding(), call, fail, [], {})
    assert (type(given_up.error), len(caplog.records)) == (asyncio.CancelledError, 1)


async def test_what_was_never_awaited_is_given_up() -> None:
    begun = []

    async def work() -> None:
        begun.append(1)

    coroutine = work()
    discard(coroutine)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        await coroutine
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    discard(future)
    assert (future.cancelled(), begun) == (True, [])


async def test_whoever_awaits_is_told_when_it_is_over() -> None:
    over: list[Any] = []

    async def give() -> int:
        return 5

    async def fail() -> None:
        raise ValueError("no")

    assert await Concluded(give(), over.append) == 5
    error = Concluded(fail(), over.append)
    with pytest.raises(ValueError, match="no"):
        await error
    error.close()
    assert (over[0], str(over[1]), len(over)) == (None, "no", 2)
    coroutine = give()
    never = Concluded(coroutine, over.append)
    discard(never)
    never.close()
    assert over[2:] == [None]
    with pytest.raises(RuntimeError, match="cannot reuse"):
        await coroutine


@pytest.mark.parametrize("by", ["ps1", "__IPYTHON__"])
def test_a_cell_that_is_run_again_replaces_what_it_defined(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler() -> None: ...
    def again() -> None: ...
    def other() -> None: ...

    first, foreign, unnamed = lambda: 1, lambda: 2, object()
    for one in (handler, again, other, first):
        monkeypatch.setattr(one, "__module__", "__main__")
    again.__qualname__ = handler.__qualname__
    handlers: list[Any] = []
    for one in (foreign, unnamed, handler, other, again):
        redefinition.add_handler(handlers, one)
    assert handlers == [foreign, unnamed, handler, other, again]  # no prompt, and no notebook
    assert not redefinition.may_replace(handler)
    handlers = [foreign, unnamed, handler, other, first]
    if by == "ps1":
        monkeypatch.setattr(sys, "ps1", ">", raising=False)
    else:
        monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    redefinition.add_handler(handlers, again)
    redefinition.add_handler(handlers, first)
    assert handlers == [foreign, unnamed, again, other, first, first]
    assert redefinition.may_replace(again)
    assert not redefinition.may_replace(foreign)
    foreign.__qualname__ = again.__qualname__
    redefinition.add_handler(handlers, foreign)
    assert handlers[-1] is foreign


def test_priorities_are_lanes() -> None:
    assert [lane_of("method 'a.b'", one) for one in (None, "urgent", "normal", "bulk")] == [None, 0, 1, 2]
    with pytest.raises(UsageError) as caught:
        lane_of("method 'a.b'", "high")  # type: ignore[arg-type]
    assert str(caught.value) == "method 'a.b': priority is 'high'; one of urgent, normal, bulk"


def test_near_names() -> None:
    names = Suggestions(["view.rotate", "view.reset", "data.reset", "ab", "x.ab", "n" * 64])
    found = {name: names.near(name) for name in ("view.rotat", "view.rotatee", "VIEW-rotate", "view.roate", "rotate")}
    assert set(found.values()) == {"view.rotate"}
    assert names.near("other.reset") == "data.reset"  # the first by name
    assert names.near("zz.ab") is None  # too short for its last part alone
    assert names.near("view.turn") is None
    assert names.near("n" * 63) == "n" * 64
    assert names.near("n" * 65) is None
    assert names.near("y.abc") is None


async def test_calls_that_wait_are_known() -> None:
    pending = PendingCalls()
    first = pending.add("1")
    pending.add("2")
    assert (pending.ids, pending.waits("1"), pending.waits("3")) == (["1", "2"], True, False)
    assert pending.settle("1", {"result": 5})
    assert (pending.waits("1"), first.result(), len(pending)) == (False, 5, 2)
    assert not pending.reject("3", ValueError())
    pending.discard("3")
    pending.discard("1")
    assert pending.ids == ["2"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"code": 7, "message": "steep", "data": {"a": 1}}, (7, "steep", {"a": 1})),
        ({"code": "7", "message": "x" * 5000}, (-32099, "x" * 4096, None)),
        ({"message": 3}, (-32099, "3", None)),
        ([1], (-32099, "the response is an error that is not a map: [1]", None)),
    ],
    ids=str,
)
def test_an_error_of_the_other_end(error: Any, told: Any) -> None:
    found = call_error(error)
    assert isinstance(found, CallError)
    assert (found.code, found.message, found.data) == told


def test_the_code_of_what_a_method_raised() -> None:
    errors = (asyncio.CancelledError(), MethodError("x", code=7), MethodError("x"), ValueError("x"), Superseded("x"))
    assert [status_of(one) for one in errors] == ["-32800", "7", "-32001", "-32001", "-32801"]
    odd = ValueError("x")
    odd.code = 9  # type: ignore[attr-defined]
    assert status_of(odd) == "-32001"


def test_a_small_call_takes_little_memory() -> None:
    def small(*args: Any, **kwargs: Any) -> bool:
        return is_small(Request("a.b", "1", list(args), kwargs))

    assert small(*range(64))
    assert not small(*range(65))
    assert small(*range(63), more=1)
    assert not small(*range(64), more=1)
    assert small("x" * 256, b"x" * 256, 1.5, None, True, Extension(STREAM_KEY, b"\x00"))
    for value in ("x" * 257, b"x" * 257, [], {}, Extension(STREAM_KEY, b"\xff")):
        assert not small(value)
        assert not small(1, more=value)


class With:
    def __init__(self, a: int) -> None: ...


class Without:
    pass


def test_where_the_hints_of_a_function_stand() -> None:
    assert target_of(With) is With.__init__
    assert target_of(Without) is object.__new__
    hints, lost = resolve(lambda a: a)
    assert (hints, lost) == ({}, [])

    def function(call, w, here, there):  # type: ignore[no-untyped-def]
        ...

    function.__annotations__ = {"call": "Call", "w": "wslink.App", "here": "With", "there": "Nowhere"}
    hints, lost = resolve(function)
    import wslink

    assert (hints, lost) == ({"call": Call, "w": wslink.App, "here": With}, ["there"])
