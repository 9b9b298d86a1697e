"""The commands of docs/relay.md, with a server at the other end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block
from tests.docs.programs import running
from tests.ports import free_port
from wslink import App


def commands(number: int) -> list[str]:
    lines = block("docs/relay.md", "bash", number).splitlines()
    return [line.partition("  #")[0] for line in lines if line.startswith("wslink")]


def adder() -> App:
    app = App(secret="secret")
    app.method("viewer.add")(lambda one, two: one + two)
    return app


@asynccontextmanager
async def dialled(app: App, url: str, **more: str) -> AsyncIterator[None]:
    """The server, connected out to a relay."""
    server = await app.serve(reverse_url=url, handle_signals=False, ready_msg="", **more)
    try:
        yield
    finally:
        await server.stop()


async def adds(url: str, **options: object) -> None:
    async with wslink.connect(url, secret="secret", **options) as link:  # type: ignore[arg-type]
        assert await link.call("viewer.add", 1, 2) == 3


async def test_both_modes_carry(tmp_path: Path, serve: Serve) -> None:
    forward, relay = commands(0)
    port = (await serve(adder())).split(":")[2].partition("/")[0]
    async with running(tmp_path, f"{forward} --port {free_port()}") as at:
        await adds(f"ws://localhost:{at}/proxy/{port}")
    port = free_port()
    url = f"ws://localhost:{port}/meet/42"
    async with running(tmp_path, f"{relay} --port {port}"), dialled(adder(), url):
        await adds(url)


async def test_tokens_keep_others_out(tmp_path: Path) -> None:
    [relay] = commands(1)
    tokens = {"process": "the token of processes", "client": "the token of clients"}
    for name, token in tokens.items():
        path = tmp_path / f"{name}.token"
        path.write_text(token.replace(" ", "-"))
        os.chmod(path, 0o600)
    async with running(tmp_path, f"{relay} --port {free_port()}") as at:
        url = f"ws://localhost:{at}/meet/42"
        async with dialled(adder(), url, reverse_token_file=str(tmp_path / "process.token")):
            with pytest.raises(wslink.ConnectionClosed):
                await adds(url)
            await adds(url, headers={"Authorization": "Bearer the-token-of-clients"})
