"""wslink.emitter.EventEmitter."""

import asyncio

import pytest

from .package import VERSION

if VERSION.startswith("1."):
    pytest.skip("wslink.emitter came with the 2.x packages", allow_module_level=True)

from wslink.emitter import EventEmitter


async def test_a_listener_gets_the_arguments_at_once():
    emitter, heard = EventEmitter(), []
    emitter.add_event_listener("any", lambda *args, **kwargs: heard.append((args, kwargs)))
    assert emitter.emit("any", 1, two=2) is None
    assert heard == [((1,), {"two": 2})]


async def test_calling_the_emitter_emits():
    emitter, heard = EventEmitter(), []
    emitter.add_event_listener("any", heard.append)
    emitter("any", 1)
    assert heard == [1]


async def test_allowed_events_become_attributes():
    emitter, heard = EventEmitter(allowed_events=["error", "info"]), []
    emitter.add_event_listener("error", heard.append)
    emitter.error("bad")
    emitter.info("nobody listens")
    assert heard == ["bad"]


async def test_a_coroutine_function_runs_as_a_task():
    emitter, heard = EventEmitter(), asyncio.get_running_loop().create_future()

    async def listener(value):
        heard.set_result(value)

    emitter.add_event_listener("any", listener)
    emitter.emit("any", 5)
    assert not heard.done()
    assert await heard == 5


async def test_listeners_are_a_set():
    emitter, heard = EventEmitter(), []
    emitter.add_event_listener("any", heard.append)
    emitter.add_event_listener("any", print)
    emitter.remove_event_listener("any", print)
    assert emitter.listeners_count("any") == 1
    listener = heard.append
    emitter.add_event_listener("other", listener)
    emitter.add_event_listener("other", listener)
    emitter.emit("other", 1)
    assert heard == [1]


def test_emitting_to_nobody_needs_no_loop():
    EventEmitter().emit("any", 1)


def test_has_count_remove_clear():
    emitter = EventEmitter()
    assert not emitter.has("any") and emitter.listeners_count("any") == 0
    emitter.remove_event_listener("any", print)
    emitter.add_event_listener("any", print)
    assert emitter.has("any")
    emitter.remove_event_listener("any", print)
    assert not emitter.has("any")
    emitter.add_event_listener("any", print)
    emitter.clear()
    assert not emitter.has("any")


def test_other_events_are_refused_when_some_are_named():
    emitter = EventEmitter(["a", "b"])
    assert emitter.allowed_events == {"a", "b"}
    for use in (emitter.has, emitter.emit, emitter, emitter.listeners_count):
        with pytest.raises(ValueError, match="other"):
            use("other")
    with pytest.raises(ValueError, match="other"):
        emitter.add_event_listener("other", print)
    with pytest.raises(ValueError, match="other"):
        emitter.remove_event_listener("other", print)


def test_every_event_is_allowed_when_none_is_named():
    assert EventEmitter().allowed_events == set()


async def test_a_listeners_exception_reaches_the_emitters_caller():
    emitter = EventEmitter()
    emitter.add_event_listener("any", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        emitter.emit("any")
