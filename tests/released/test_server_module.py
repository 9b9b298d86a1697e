"""wslink.server: the three ways to start."""

import asyncio
import inspect
import logging
import socket
import sys

import pytest

from wslink import server as wslink_server
from wslink.websocket import ServerProtocol

from .package import VERSION
from .programs import options
from .serving import free_port


def test_signatures():
    def parameters(function):
        return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}

    given = parameters(wslink_server.start_webserver)
    assert list(given)[:5] == ["options", "protocol", "disableLogging", "backend", "exec_mode"]
    assert list(given.values())[1:5] == [ServerProtocol, False, "aiohttp", "main"]
    assert parameters(wslink_server.start) == {
        "argv": None,
        "protocol": ServerProtocol,
        "description": "wslink web-server",
    }
    assert list(parameters(wslink_server.create_webserver).values())[1:] == ["aiohttp"]


async def test_as_a_task(recorder):
    kind, made = recorder
    task = wslink_server.start_webserver(options(), kind, disableLogging=True, exec_mode="task")
    assert isinstance(task, asyncio.Task) and task.get_loop() is asyncio.get_running_loop()
    (protocol,) = made
    assert protocol.events == ["initialize", "init", "set_server"]
    await protocol.ready.wait()
    assert protocol.events[-1] == "port_callback"
    assert protocol.loop is asyncio.get_running_loop()
    assert wslink_server.get_port() == protocol.port == protocol.server.get_port() != 0
    stopping = wslink_server.stop_webserver()
    assert isinstance(stopping, asyncio.Task)
    assert await stopping is None
    assert await task is None


async def test_as_a_coroutine(recorder):
    kind, made = recorder
    coroutine = wslink_server.start_webserver(options(), kind, disableLogging=True, exec_mode="coroutine")
    assert asyncio.iscoroutine(coroutine)
    await asyncio.sleep(0.01)
    assert made[0].events == ["initialize", "init", "set_server"]
    task = asyncio.create_task(coroutine)
    await made[0].ready.wait()
    await made[0].server.stop()
    assert await task is None


def test_main_blocks_until_the_server_stops(recorder, thread_loop):
    kind, made = recorder

    class Stopping(kind):
        def port_callback(self, port):
            super().port_callback(port)
            self.stopServer()

    assert wslink_server.start_webserver(options(), Stopping, disableLogging=True) is None
    assert made[0].events == ["initialize", "init", "set_server", "port_callback"]


def test_main_ends_at_the_idle_timeout(recorder, thread_loop):
    kind, made = recorder
    wslink_server.start_webserver(options(timeout=1), kind, disableLogging=True, exec_mode="main")
    assert made[0].events[-1] == "port_callback"


def test_main_raises_what_start_raises(recorder, thread_loop):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        given = options(host="127.0.0.1", port=listener.getsockname()[1])
        with pytest.raises(OSError, match="error while attempting to bind"):
            wslink_server.start_webserver(given, recorder[0], disableLogging=True)


async def test_an_unknown_mode(recorder):
    with pytest.raises(Exception, match="wrong"):
        wslink_server.start_webserver(options(), recorder[0], disableLogging=True, exec_mode="wrong")


@pytest.mark.parametrize("backend", ["wrong", ""])
def test_an_unknown_backend(backend):
    with pytest.raises(Exception, match="backend is not implemented"):
        wslink_server.create_webserver({}, backend=backend)


async def test_more_keywords_are_ignored(recorder):
    coroutine = wslink_server.start_webserver(
        options(), recorder[0], disableLogging=True, exec_mode="coroutine", open_browser=True
    )
    coroutine.close()


@pytest.mark.parametrize(
    ("debug", "disabled", "level"),
    [(True, False, logging.DEBUG), (False, False, logging.ERROR), (True, True, 17), (False, True, 17)],
)
async def test_the_loggers_level(recorder, debug, disabled, level):
    logger = logging.getLogger("wslink")
    before = logger.level
    logger.setLevel(17)
    try:
        given = options(debug=debug)
        wslink_server.start_webserver(given, recorder[0], disableLogging=disabled, exec_mode="coroutine").close()
        assert logger.level == level
    finally:
        logger.setLevel(before)


async def test_ssl_wants_a_pair(recorder):
    with pytest.raises(Exception, match="ssl"):
        wslink_server.start_webserver(options(ssl="only-one"), recorder[0], disableLogging=True, exec_mode="coroutine")


async def test_the_module_names_the_last_server(recorder):
    kind, made = recorder
    wslink_server.start_webserver(options(), kind, disableLogging=True, exec_mode="coroutine").close()
    assert wslink_server.ws_server is made[0].server


def test_without_a_server(monkeypatch):
    monkeypatch.setattr(wslink_server, "ws_server", None)
    assert wslink_server.get_port() == -1
    assert wslink_server.stop_webserver() is None


@pytest.mark.skipif(VERSION.startswith("1."), reason="1.x builds a reverse server without a loop to run in")
async def test_a_reverse_url_makes_a_reverse_server(recorder):
    from wslink.backends.aiohttp import ReverseWebAppServer

    kind, made = recorder
    given = options(reverse_url=f"ws://127.0.0.1:{free_port()}/ws")
    wslink_server.start_webserver(given, kind, disableLogging=True, exec_mode="coroutine").close()
    assert isinstance(made[0].server, ReverseWebAppServer)


class Ordered(ServerProtocol):
    """Notes what happens around the start, and what else runs meanwhile."""

    def initialize(self):
        self.updateSecret("secret")
        self.events = made_in_order
        made_in_order.clear()

    def set_server(self, server):
        self.events.append("set_server")

    def port_callback(self, port):
        with socket.create_connection(("127.0.0.1", port), 1):
            self.events.append("the port is open")
        self.events.append("ready callback")


made_in_order = []


async def prepare():
    """What an application began before the start: with VTK or trame, the rest of its own start."""
    for _ in range(3):
        await asyncio.sleep(0)
    made_in_order.append("what was scheduled before")


def events_in_order(capfd, monkeypatch, exec_mode):
    monkeypatch.setenv("WSLINK_READY_MSG", "READY")

    async def under_a_loop():
        asyncio.get_running_loop().create_task(prepare())
        await wslink_server.start_webserver(options(timeout=1), Ordered, disableLogging=True, exec_mode=exec_mode)

    if exec_mode == "main":
        asyncio.get_event_loop().create_task(prepare())
        wslink_server.start_webserver(options(timeout=1), Ordered, disableLogging=True)
    else:
        asyncio.run(under_a_loop())
    return made_in_order


@pytest.mark.parametrize("exec_mode", ["main", "task", "coroutine"])
def test_the_order_of_a_start(capfd, monkeypatch, thread_loop, exec_mode):
    """What was scheduled, the port, the ready callbacks, the ready message."""
    seen = []
    append = Ordered.port_callback

    def port_callback(self, port):
        append(self, port)
        sys.stdout.flush()
        seen.append(capfd.readouterr().out)

    monkeypatch.setattr(Ordered, "port_callback", port_callback)
    events = events_in_order(capfd, monkeypatch, exec_mode)
    assert events == ["set_server", "what was scheduled before", "the port is open", "ready callback"]
    assert "READY" not in "".join(seen)
    assert capfd.readouterr().out.startswith("READY")
