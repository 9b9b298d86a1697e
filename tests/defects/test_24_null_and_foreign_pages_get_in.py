"""Defect 24: {"secret": null} opens a server without a secret; any web page drives a server that has the default one."""

import aiohttp
import pytest

from ..released.package import defect
from ..released.peer import SECRET, Failure
from ..released.serving import Protocol, serving


@defect(24)
async def test_null_never_matches(generation):
    async with serving(Protocol(secret=None)) as running:
        peer = await running.dial(generation)
        with pytest.raises(Failure) as failure:
            await peer.hello(None)
        assert failure.value.code == -32000


@defect(24)
async def test_a_page_of_another_origin_does_not_get_in_by_the_default_secret():
    async with serving(Protocol(secret=SECRET)) as running:
        with pytest.raises((Failure, aiohttp.WSServerHandshakeError)):
            await running.connect(origin="https://evil.example")


async def test_a_page_of_the_servers_own_origin_gets_in():
    async with serving(Protocol(secret=SECRET)) as running:
        assert await running.connect(origin=f"http://127.0.0.1:{running.port}")


async def test_a_program_without_an_origin_gets_in():
    async with serving(Protocol(secret=SECRET)) as running:
        assert await running.connect()
