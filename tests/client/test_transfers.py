"""How far calls of the Python client have come (`on_transfer`)."""

from __future__ import annotations

import asyncio

import pytest

import wslink
from tests.client.scripted import KIB, MIB, Connected, finish, start
from tests.conftest import Serve
from wslink import App, Transfer


async def test_transfers_show_how_far_they_have_come(app: App, serve: Serve) -> None:
    app.method("test.echo")(lambda data, *, times=1: data * times)
    seen: list[Transfer] = []
    async with wslink.connect(await serve(app), secret="secret") as link:
        calling = link.with_options(on_transfer=seen.append)
        beside = link.call("test.echo", bytes(MIB))
        result, _ = await asyncio.gather(calling.call("test.echo", bytes(8 * MIB), times=2), beside)
        assert len(result) == 16 * MIB
        sent = [transfer for transfer in seen if transfer.sent is not None]
        received = [transfer for transfer in seen if transfer.received is not None]
        assert sent + received == seen
        for way, size in (
            ([(transfer.sent, transfer.total) for transfer in sent], 8 * MIB),
            ([(transfer.received, transfer.total) for transfer in received], 16 * MIB),
        ):
            done = [part or 0 for part, _ in way]
            assert len(way) > 2
            assert done == sorted(set(done))
            assert {total for _, total in way} == {done[-1]}
            assert size < done[-1] < size + KIB
        seen.clear()
        await calling.call("test.echo", b"small")
        assert [transfer.received is None for transfer in seen] == [True, False]
        assert not link._session._receiving


async def test_progress_that_raises_or_is_given_up_disturbs_nothing(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    link, server = await connected()

    def show(transfer: Transfer) -> None:
        raise LookupError("a mistake")

    call = asyncio.create_task(link.with_options(on_transfer=show).call("a.large", bytes(MIB)))
    await asyncio.sleep(0.05)
    await finish(call)
    assert "a mistake" in caplog.text
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    other = start(link, "a.small")
    await server.answer("a.small", 1)
    assert await other == 1
