"""Two clients that have the same token: one of them was copied, or stolen (RES-7, RES-9)."""

from __future__ import annotations

import asyncio
import contextlib

import wslink
from tests.conftest import Serve
from tests.session.returning import Returning
from tests.waiting import until
from wslink import App, Reconnect, Reconnected


async def test_a_copied_token_does_not_let_two_take_the_session_from_one_another_for_ever(serve: Serve) -> None:
    app = App(secret="secret")
    url = await serve(app)
    link = await wslink.connect(url, secret="secret", reconnect=Reconnect(0.02, 0.1))
    verdicts = list[Reconnected]()
    link.on_reconnected(verdicts.append)
    thief = Returning(url, features=list(link.features))
    thief.token = link._session._resuming._token

    async def steal() -> None:
        while True:
            await thief.connect()
            await thief.until(lambda: thief.socket.closed, 60)

    stealing = asyncio.create_task(steal())
    await until(lambda: any(not verdict.resumed for verdict in verdicts))
    returns = len(verdicts)
    await asyncio.sleep(0.3)
    assert (len(verdicts), link.state) == (returns, "open")
    assert verdicts[-1].reason == "refused"
    assert len(app.clients) == 2
    stealing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stealing
    await thief.close()
    await link.close()
