"""wslink.ssl_context, --ssl and the `ssl` key."""

import asyncio
import ssl
from pathlib import Path

import pytest

from wslink import ssl_context
from wslink.server import create_webserver

from .peer import SECRET
from .programs import PROGRAM, port_of
from .serving import Process, Protocol, Visit, started

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
    assert "BEGIN CERTIFICATE" in Path(certificate).read_text()
    assert "PRIVATE KEY" in Path(key).read_text()


def test_a_context_for_servers(pair):
    context = ssl_context.load_ssl_context(*pair)
    assert isinstance(context, ssl.SSLContext)
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER


async def test_a_server_with_tls(pair):
    context = ssl_context.load_ssl_context(*pair)
    config = {"host": "127.0.0.1", "port": 0, "handle_signals": False, "ws": {"ws": Protocol()}, "ssl": context}
    server = create_webserver(config)
    assert server.ssl_context is context
    async with started(server, "s") as running:
        assert await running.connect(ssl=trusting())


def connect(port):
    async def hello():
        async with Visit(port, "s") as visit:
            return await visit.connect(secret=SECRET, ssl=trusting())

    return asyncio.run(hello())


def test_a_pair_by_command_line(pair):
    with Process(PROGRAM, "--port", "0", "--ssl", ",".join(pair)) as process:
        assert connect(port_of(process))


def test_a_pair_for_the_occasion():
    with Process(PROGRAM, "--port", "0", "--ssl", "adhoc") as process:
        assert connect(port_of(process))
