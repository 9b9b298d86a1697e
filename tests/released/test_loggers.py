"""Loggers that software silences or listens to, and the events of log_emitter."""

import asyncio
import logging

import pytest

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .package import GENERATIONS, since_2
from .peer import Failure
from .serving import Protocol, serving


class Failing(LinkProtocol):
    @register("test.raise")
    def fail(self):
        raise ValueError("a reason")

    @register("test.echo")
    def echo(self, *args):
        return args


@pytest.fixture(autouse=True)
def level():
    """Keep the level of the package's logger, which servers set."""
    logger = logging.getLogger("wslink")
    before = logger.level
    yield
    logger.setLevel(before)


async def test_everything_is_below_wslink(caplog):
    caplog.set_level(logging.DEBUG)
    async with serving(Protocol(Failing()), logging_level=logging.DEBUG) as running:
        peer = await running.connect()
        with pytest.raises(Failure):
            await peer.call("test.raise")
        await peer.close()
    names = {record.name for record in caplog.records if record.name.split(".")[0] not in ("asyncio", "aiohttp")}
    assert names and all(name == "wslink" or name.startswith("wslink.") for name in names)


async def test_connections_are_logged_by_the_backend(caplog):
    caplog.set_level(logging.INFO, "wslink.backends.aiohttp")
    async with serving(Protocol()) as running:
        peer = await running.connect()
        messages = [
            record.getMessage() for record in caplog.records if record.name.startswith("wslink.backends.aiohttp")
        ]
        assert any(peer.client_id[1:] in message for message in messages)


async def test_a_failed_method_is_logged_as_an_error(caplog):
    async with serving(Protocol(Failing())) as running:
        with pytest.raises(Failure):
            await (await running.connect()).call("test.raise")
    errors = [
        record for record in caplog.records if record.levelno == logging.ERROR and record.name.startswith("wslink")
    ]
    text = "\n".join(record.getMessage() + str(record.exc_info) for record in errors)
    assert "a reason" in text
    assert {record.name for record in errors} == {"wslink.protocol"}, "by which applications silence it"


async def test_secrets_are_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    async with serving(Protocol(secret="very secret"), logging_level=logging.DEBUG) as running:
        await running.connect(secret="very secret")
    assert caplog.records and "very secret" not in caplog.text


def test_the_configuration_sets_the_level():
    create_webserver({"port": 0, "logging_level": logging.CRITICAL, "ws": {}})
    assert logging.getLogger("wslink").level == logging.CRITICAL
    create_webserver({"port": 0, "logging_level": None, "ws": {}})
    assert logging.getLogger("wslink").level == logging.CRITICAL


@pytest.fixture(autouse=True)
def loop_of_the_thread():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@since_2
class TestLogEmitter:
    async def test_an_exception_of_a_method(self):
        heard = []
        protocol = Protocol(Failing())
        protocol.log_emitter.add_event_listener("exception", heard.append)
        async with serving(protocol) as running:
            with pytest.raises(Failure):
                await (await running.connect()).call("test.raise")
        assert [repr(error) for error in heard] == ["ValueError('a reason')"]

    async def test_an_unknown_method(self):
        heard = []
        protocol = Protocol(Failing())
        protocol.log_emitter.add_event_listener("error", heard.append)
        async with serving(protocol) as running:
            with pytest.raises(Failure):
                await (await running.connect()).call("no.such")
        assert len(heard) == 1 and "no.such" in heard[0]

    async def test_messages_for_debugging_hide_secrets(self):
        heard = []
        protocol = Protocol(Failing(), secret="very secret")
        protocol.log_emitter.add_event_listener("debug", heard.append)
        async with serving(protocol) as running:
            peer = await running.connect(secret="very secret")
            await peer.call("test.echo", "a value")
        text = "\n".join(heard)
        assert "a value" in text and "very secret" not in text
        assert {one.partition("{")[0] for one in heard} == {"wslink incoming msg "}

    @pytest.mark.skipif("first" in GENERATIONS, reason="a text frame is fine where the first generation is spoken")
    async def test_a_text_frame_is_critical(self):
        heard = []
        protocol = Protocol(Failing())
        protocol.log_emitter.add_event_listener("critical", heard.append)
        async with serving(protocol) as running:
            peer = await running.connect()
            await peer.frames.send_str("some text")
            assert await peer.call("test.echo", 1) == [1]
        assert len(heard) == 1 and "some text" in heard[0]

    def test_unregistering_a_stranger_is_an_error(self):
        async def unregister():
            heard = []
            protocol = Protocol()
            protocol.log_emitter.add_event_listener("error", heard.append)
            protocol.unregisterLinkProtocol(LinkProtocol())
            return heard

        assert len(asyncio.run(unregister())) == 1
