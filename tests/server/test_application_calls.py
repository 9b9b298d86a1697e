"""Progress, latest-wins methods and calls of clients beside an application's thread."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import wslink
from tests.server.running import Running
from wslink import App, Call


async def turned(link: wslink.Link, value: int) -> Any:
    try:
        return await link.call("test.turn", value)
    except wslink.CallError as error:
        return error.code


async def test_calls_in_both_directions_from_the_applications_thread() -> None:
    app = App(secret="secret")
    threads = set[int]()

    @app.method("test.sync")
    def work(call: Call) -> str:
        threads.add(threading.get_ident())
        for step in range(5):
            call.progress(step)
            time.sleep(0.01)
        return "done"

    @app.method("test.ask")
    async def ask(call: Call) -> Any:
        threads.add(threading.get_ident())
        both = await app.call_all("view.size", timeout=5)
        return [await call.client.call("view.size", timeout=5), *both.values()]

    ran = list[int]()

    @app.method("test.turn", latest=True)
    def turn(value: int) -> int:
        threads.add(threading.get_ident())
        time.sleep(0.05)
        ran.append(value)
        return value

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret", handlers={"view.size": lambda: [1, 2]}) as link:
            seen = list[Any]()
            assert await link.with_options(on_progress=seen.append).call("test.sync") == "done"
            assert seen == [0, 1, 2, 3, 4]
            assert await link.call("test.ask") == [[1, 2], [1, 2]]
            outcomes = await asyncio.gather(*(turned(link, value) for value in range(20)))
            assert outcomes[-1] == 19
            assert ran[-1] == 19
            assert len(ran) < 10
    assert len(threads) == 1
    assert threading.get_ident() not in threads
