"""What may wait for one client where much waits for all (LIM-6, TURN-2)."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Open, Serve
from tests.session.test_delivery import HELLO, MIB, read_on, stop_reading
from tests.waiting import until
from wslink import App, Limits


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_where_much_waits_for_all_clients_each_has_its_share(engine: str, serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_outbox=4 * MIB))
    made = 0

    @app.method("test.big")
    def big() -> bytes:
        nonlocal made
        made += 1
        return bytes(MIB)

    app.method("test.scene")(lambda: bytes(40 * MIB))
    url = await serve(app, engine=engine)
    stopped, other = [await peers(url, hello=HELLO) for _ in range(6)], await peers(url, hello=HELLO)
    for peer in stopped:
        stop_reading(peer)
    asked = [(peer, await peer.start("test.big")) for peer in stopped for _ in range(20)]
    await asyncio.sleep(0.2)
    assert len((await other.call("test.scene"))["result"]) == 40 * MIB
    assert 0 < made < 60  # with `max_outbox` for each it is 100
    for peer in stopped:
        read_on(peer)
    for peer, id_ in asked:
        assert len((await peer.answer(id_))["result"]) == MIB
    assert made == 120


async def test_a_large_result_for_one_client_slows_down_no_other(serve: Serve, peers: Open) -> None:
    app = App(secret="secret")
    asked: list[str] = []

    @app.method("test.bytes")
    def some(name: str, size: int) -> bytes:
        asked.append(name)
        return bytes(size)

    url = await serve(app)
    slow, other = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    for peer in (slow, other):
        stop_reading(peer)
    await slow.start("test.bytes", "scene", 60 * MIB)
    for name in ("first", "second", "third", "small"):
        await other.start("test.bytes", name, 10 if name == "small" else MIB)
    await until(lambda: asked == ["scene", "first", "second", "third", "small"], 5)
    for peer in (slow, other):
        read_on(peer)
