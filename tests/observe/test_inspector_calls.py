"""The inspector's form beyond plain calls, and how long responses wait for the line."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import Open, Serve
from tests.observe.test_inspector import SECRET, Page
from wslink import App, Array, MethodError
from wslink.server.form import MAX_ITEMS, array_of

ended: list[str] = []


def app() -> App:
    app = App(secret=SECRET)

    @app.method("mesh.refine")
    async def refine(levels: int, pause: float = 0, fails: bool = False) -> AsyncIterator[np.ndarray]:
        try:
            for level in range(levels):
                yield np.full(2, level, "<f4")
                await asyncio.sleep(pause)
            if fails:
                raise MethodError("too fine", code=7)
        finally:
            ended.append("refine")

    @app.method("mesh.move")
    def move(points: Annotated[NDArray[Any], Array("<f4", "n", 3)], by: np.ndarray, name: bytes = b"") -> str:
        return f"{points.dtype.str} {points.shape} {by.dtype.str} {by.tolist()} {name!r}"

    @app.method("mesh.large")
    def large(size: int) -> bytes:
        return bytes(size)

    return app


@pytest.fixture
async def page(serve: Serve) -> AsyncIterator[Page]:
    ended.clear()
    async with aiohttp.ClientSession() as session:
        yield Page(await serve(app(), inspector=True), session)


async def lines(page: Page, method: str, **kwargs: Any) -> AsyncIterator[Any]:
    body = {"method": method, "kwargs": kwargs, "stream": True}
    headers = {name: os.fsdecode(value) for name, value in page.headers.items()}
    async with page.session.post(page.base / "call", json=body, headers=headers) as response:
        assert response.status == 200
        async for line in response.content:
            yield json.loads(line)


async def test_the_form_shows_the_items_of_a_stream_as_they_come(page: Page) -> None:
    began = time.monotonic()
    times = [(time.monotonic() - began, line) async for line in lines(page, "mesh.refine", levels=3, pause=0.2)]
    shown = [line for _, line in times]
    assert shown == [{"item": '"<array <f4 [2], 8 bytes>"'}] * 3 + [{"result": "null"}]
    assert times[0][0] < times[2][0] - 0.2
    failed = [line async for line in lines(page, "mesh.refine", levels=1, fails=True)]
    assert failed[0].keys() == {"item"}
    assert failed[1]["error"] == {"code": 7, "message": "too fine"}
    assert (await anext(lines(page, "mesh.move")))["error"]["code"] == -32602
    plain = await page.call("mesh.refine", 1)
    assert "link.stream" in plain["error"]["message"]


async def test_a_stream_is_bounded_and_stops_when_nobody_reads_it(page: Page) -> None:
    shown = [line async for line in lines(page, "mesh.refine", levels=MAX_ITEMS + 100)]
    assert [line for line in shown if "item" not in line] == shown[MAX_ITEMS:]
    assert "stopped" in shown[-1]["error"]["message"]
    await asyncio.sleep(0.05)
    assert ended == ["refine"]
    reading = lines(page, "mesh.refine", levels=100, pause=0.2)
    await anext(reading)
    await reading.aclose()
    for _ in range(40):
        if len(ended) == 2:
            return
        await asyncio.sleep(0.05)
    pytest.fail("it goes on")


async def test_the_form_gives_arrays_and_bytes(page: Page) -> None:
    arguments = {"points": [[1, 2, 3], [4, 5, 6.5]], "by": {"dtype": "|u1", "data": [1, 2]}}
    arrays = {"points": "<f4", "by": ""}
    body = {"method": "mesh.move", "kwargs": arguments, "arrays": arrays}
    assert await page.ask("call", body) == {"result": "\"<f4 (2, 3) |u1 [1, 2] b''\""}
    body = {"method": "mesh.move", "args": [[[1, 2, 3]], [7]], "arrays": {"0": "<f4", "1": "", "name": "bytes"}}
    assert "there is no argument" in (await page.ask("call", body))["error"]["message"]
    body["kwargs"] = {"name": "é"}
    assert "<f8 [7.0] b'\\\\xc3\\\\xa9'" in (await page.ask("call", body))["result"]
    body["args"] = [[[1, 2]], [7]]
    refused = (await page.ask("call", body))["error"]
    assert (refused["code"], "points" in refused["message"]) == (-32602, True)


@pytest.mark.parametrize(
    ("value", "dtype", "error"),
    [
        ([[1, 2], [3]], "<f4", "differ in length"),
        ([1, [2]], "<f4", "lists of one depth"),
        ([1, "2"], "<f4", "lists of one depth"),
        ([256], "|u1", "ubyte"),
        ([1.5], "<i4", "integer"),
        ([1], "<c8", "cannot be written"),
        ([1], "x", "cannot be written"),
        ({"dtype": [], "data": []}, "", "cannot be written"),
    ],
)
def test_what_is_no_array_is_refused(value: Any, dtype: str, error: str) -> None:
    with pytest.raises((ValueError, TypeError, struct.error, OverflowError), match=error):
        array_of(value, dtype)


@pytest.mark.parametrize("dtype", ["|b1", "|i1", "<u2", "<f2", "<i8", "<f8"])
def test_lists_of_every_depth_are_arrays(dtype: str) -> None:
    for value in ([], [[]], [[1, 0]], [[[1]], [[0]]], 1):
        made = array_of(value, dtype)
        assert np.array_equal(made, np.array(value, dtype))
        assert made.dtype.str == dtype


async def test_a_response_that_waits_for_the_line_is_told_with_how_long(page: Page, peers: Open) -> None:
    url = str(page.base.with_scheme("ws").with_path("/ws"))
    begun = await page.ask("log")
    peer = await peers(url, hello={"secret": SECRET})
    id_ = await peer.start("mesh.large", 60_000_000)
    for _ in range(40):
        if sending := (await page.ask("overview"))["sending"]:
            break
        await asyncio.sleep(0.05)
    (one,) = sending
    assert (one["method"], one["call"]) == ("mesh.large", id_)
    assert one["send"] > 0
    await asyncio.sleep(0.3)
    await peer.answer(id_)
    entries = (await page.ask(f"log?since={begun['end']}"))["entries"]
    (done,) = [entry for entry in entries if entry["kind"] == "done"]
    (sent,) = [entry for entry in entries if entry["kind"] == "sent"]
    assert (sent["call"], sent["client"], sent["name"]) == (done["call"], done["client"], "mesh.large")
    assert sent["send"] > 0.3
    assert done["run"] < sent["send"]
    assert (await page.ask("overview"))["sending"] == []


async def test_a_response_whose_client_leaves_waits_no_longer(page: Page, peers: Open) -> None:
    url = str(page.base.with_scheme("ws").with_path("/ws"))
    peer = await peers(url, hello={"secret": SECRET})
    await peer.start("mesh.large", 60_000_000)
    await asyncio.sleep(0.2)
    assert (await page.ask("overview"))["all"]["sending"] == 1
    await peer.close()
    for _ in range(40):
        if not (await page.ask("overview"))["all"]["sending"]:
            return
        await asyncio.sleep(0.05)
    pytest.fail("it still waits")
