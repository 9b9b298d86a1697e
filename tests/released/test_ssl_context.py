"""wslink.ssl_context, --ssl and the `ssl` key."""

import asyncio
import ssl

import aiohttp
import pytest

from wslink import ssl_context
from wslink.server import create_webserver

from .peer import SECRET
from .programs import PROGRAM, port_of
from .serving import Process, Protocol, Running, started

pytest.importorskip("cryptography")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def pair():
    return ssl_context.generate_ssl_pair("localhost")


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_a_pair_is_two_files(pair):
    certificate, key = pair
    assert "BEGIN CERTIFICATE" in open(certificate).read()
    assert "PRIVATE KEY" in open(key).read()


def test_a_context_for_servers(pair):
    context = ssl_context.load_ssl_context(*pair)
    assert isinstance(context, ssl.SSLContext)
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER


async def test_a_server_with_tls(pair):
    context = ssl_context.load_ssl_context(*pair)
    config = {"host": "127.0.0.1", "port": 0, "handle_signals": False, "ws": {"ws": Protocol()}, "ssl": context}
    server = create_webserver(config)
    assert server.ssl_context is context
    async with started(server) as running:
        running.url = lambda path="ws", scheme="ws": f"wss://127.0.0.1:{running.port}/{path}"
        assert await running.connect(ssl=trusting())


def connect(port):
    async def hello():
        async with aiohttp.ClientSession() as session:
            running = Running(None, port, session)
            running.url = lambda path="ws", scheme="ws": f"wss://127.0.0.1:{port}/{path}"
            return await running.connect(secret=SECRET, ssl=trusting())

    return asyncio.run(hello())


def test_a_pair_by_command_line(pair):
    with Process(PROGRAM, "--port", "0", "--ssl", ",".join(pair)) as process:
        assert connect(port_of(process))


def test_a_pair_for_the_occasion():
    with Process(PROGRAM, "--port", "0", "--ssl", "adhoc") as process:
        assert connect(port_of(process))
