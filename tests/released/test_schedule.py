"""wslink.schedule_callback, wslink.schedule_coroutine."""

import asyncio
import subprocess
import sys

import wslink

from .package import since_2


async def test_a_callback_gets_its_arguments():
    called = asyncio.get_running_loop().create_future()
    wslink.schedule_callback(0, lambda *args, **kwargs: called.set_result((args, kwargs)), 1, 2, three=3)
    assert not called.done()
    assert await called == ((1, 2), {"three": 3})


async def test_a_coroutine_function_gets_its_arguments():
    called = asyncio.get_running_loop().create_future()

    async def work(*args, **kwargs):
        called.set_result((args, kwargs))

    wslink.schedule_coroutine(0, work, 1, two=2)
    assert await called == ((1,), {"two": 2})


async def test_any_function_that_returns_an_awaitable_may_be_scheduled():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    wslink.schedule_coroutine(0, lambda: loop.run_in_executor(None, int, "7"), done_callback=done.set_result)
    assert (await asyncio.wait_for(done, 5)).result() == 7


async def test_the_delay_is_kept():
    loop = asyncio.get_running_loop()
    called, begin = loop.create_future(), loop.time()
    wslink.schedule_callback(0.05, called.set_result, None)
    await called
    assert loop.time() - begin >= 0.045


async def test_both_can_be_cancelled():
    calls = []

    async def work():
        calls.append("coroutine")

    wslink.schedule_callback(0, calls.append, "callback").cancel()
    wslink.schedule_coroutine(0, work).cancel()
    await asyncio.sleep(0.01)
    assert calls == []


@since_2
async def test_done_callback_gets_the_finished_task():
    done = asyncio.get_running_loop().create_future()

    async def work(value):
        return value

    wslink.schedule_coroutine(0, work, 7, done_callback=done.set_result)
    assert (await done).result() == 7


@since_2
async def test_done_callback_comes_after_a_failure_too():
    done = asyncio.get_running_loop().create_future()

    async def work():
        raise ValueError("no")

    wslink.schedule_coroutine(0, work, done_callback=done.set_result)
    assert isinstance((await done).exception(), ValueError)


def test_both_may_be_used_before_a_loop_runs():
    program = """
import asyncio, warnings
warnings.simplefilter("ignore")
import wslink
calls = []
async def work():
    calls.append("coroutine")
wslink.schedule_callback(0, calls.append, "callback")
wslink.schedule_coroutine(0, work)
asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.01))
print(calls)
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "['callback', 'coroutine']"
