"""wslink.server: options, and the three ways to start."""

import argparse
import asyncio
import inspect
import logging
import socket
import sys

import pytest

from wslink import server as wslink_server
from wslink.websocket import ServerProtocol

from .package import RELEASED, VERSION, since_2
from .peer import SECRET
from .programs import options
from .serving import Protocol, Visit, free_port

DEFAULTS = {
    "debug": False,
    "nosignalhandlers": False,
    "host": "localhost",
    "port": 8080,
    "timeout": 300,
    "content": "",
    "authKey": SECRET,
    "ws": "ws",
    "nows": False,
    "fsEndpoints": "",
    "reverse_url": None,
    "ssl": "",
}


class TestAddArguments:
    def test_it_returns_the_parser(self):
        parser = argparse.ArgumentParser()
        assert wslink_server.add_arguments(parser) is parser

    def test_defaults(self):
        parsed = vars(wslink_server.add_arguments(argparse.ArgumentParser()).parse_args([]))
        assert {name: parsed[name] for name in DEFAULTS} == DEFAULTS

    @since_2
    def test_compression_is_on_unless_told(self):
        assert options().nowscompress is False
        assert options("--no-ws-compress").nowscompress is True

    def test_every_option(self):
        given = (
            "--debug --nosignalhandlers --host 0.0.0.0 -p 1234 --timeout 5 --content /www --authKey key "
            "--ws-endpoint a/b --no-ws-endpoint --fs-endpoints a=/b|c=/d --reverse-url ws://x/y --ssl adhoc"
        )
        parsed = wslink_server.add_arguments(argparse.ArgumentParser()).parse_args(given.split())
        expected = {
            "debug": True,
            "nosignalhandlers": True,
            "host": "0.0.0.0",
            "port": 1234,
            "timeout": 5,
            "content": "/www",
            "authKey": "key",
            "ws": "a/b",
            "nows": True,
            "fsEndpoints": "a=/b|c=/d",
            "reverse_url": "ws://x/y",
            "ssl": "adhoc",
        }
        assert {name: vars(parsed)[name] for name in expected} == expected

    def test_port_has_a_long_form(self):
        assert wslink_server.add_arguments(argparse.ArgumentParser()).parse_args(["--port", "7"]).port == 7

    @pytest.mark.parametrize(
        "option",
        [
            "--server",
            "--banner",
            "--app",
            "--no-http",
            "--authKeyFile",
            "--hot-reload",
            "--trame-args",
            "--follow-symlinks",
            "--data",
        ],
    )
    def test_software_adds_options_of_its_own_to_the_same_parser(self, option):
        wslink_server.add_arguments(argparse.ArgumentParser(allow_abbrev=False)).add_argument(option)

    @since_2
    @pytest.mark.parametrize("option", ["-a", "-c", "-d", "-i", "-s", "-t", "-v", "-f", "-ws"])
    def test_short_options_but_p_belong_to_the_software(self, option):
        """2.0 dropped the short forms of 1.x for the sake of applications that add their own."""
        wslink_server.add_arguments(argparse.ArgumentParser()).add_argument(option)


class Recorder(Protocol):
    """Notes what start_webserver does to a protocol, in order."""

    def __init__(self):
        self.events = []
        super().__init__()

    def initialize(self):
        super().initialize()
        self.events.append("initialize")

    def init(self, *args):
        super().init(*args)
        self.events.append("init")

    def set_server(self, server):
        self.server = server
        self.events.append("set_server")

    def port_callback(self, port):
        self.port = port
        self.loop = asyncio.get_running_loop()
        self.events.append("port_callback")
        self.ready.set()

    ready = None


@pytest.fixture
def recorder():
    """A class to hand to start_webserver, and the instance that it makes."""
    made = []

    class Made(Recorder):
        def __init__(self):
            self.ready = asyncio.Event()
            made.append(self)
            super().__init__()

    return Made, made


@pytest.fixture
def thread_loop():
    """An event loop for this thread, as a fresh process has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


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


class Session:
    """Start a server by options and connect to it."""

    def __init__(self, kind, made, given, **more):
        self.made = made
        self.task = wslink_server.start_webserver(given, kind, disableLogging=True, exec_mode="task", **more)

    async def __aenter__(self):
        waiting = asyncio.ensure_future(self.made[-1].ready.wait())
        await asyncio.wait([waiting, self.task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.task.done():
            self.task.result()
        self.visit = Visit(self.made[-1].port)
        return await self.visit.__aenter__()

    async def __aexit__(self, *_):
        await self.visit.__aexit__()
        await self.made[-1].server.stop()
        await self.task


async def test_the_default_endpoint_is_ws(recorder):
    async with Session(*recorder, options()) as running:
        assert await running.connect(route="ws")


@pytest.mark.parametrize("route", ["other", "a/b/ws", "/slash"])
async def test_another_endpoint(recorder, route):
    async with Session(*recorder, options("--ws-endpoint", route)) as running:
        assert await running.connect(route=route.lstrip("/"))


async def test_no_endpoint(recorder, tmp_path):
    given = options("--no-ws-endpoint", "--content", str(tmp_path))
    async with Session(*recorder, given) as running, running.get("ws") as response:
        assert response.status == 404


@since_2
@pytest.mark.parametrize(
    ("environment", "arguments", "accepted"),
    [({}, [], True), ({"WSLINK_WS_COMPRESS": "0"}, [], False), ({}, ["--no-ws-compress"], False)],
)
async def test_compression_is_accepted_unless_told(recorder, monkeypatch, environment, arguments, accepted):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with Session(*recorder, options(*arguments)) as visit:
        assert bool((await visit.dial(compress=15)).frames.compress) is accepted


async def test_content_and_more_folders(recorder, tmp_path):
    for name in ("www", "data", "images"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    given = options(
        "--content", str(tmp_path / "www"), "--fs-endpoints", f"data={tmp_path}/data|deep/images={tmp_path}/images"
    )
    async with Session(*recorder, given) as running:
        for path, text in [("index.html", "www"), ("data/index.html", "data"), ("deep/images/index.html", "images")]:
            async with running.get(path) as response:
                assert await response.text() == text


@pytest.mark.skipif(RELEASED, reason="released packages fail on every absent option")
@pytest.mark.parametrize("absent", sorted(DEFAULTS))
async def test_an_option_may_be_absent(recorder, absent):
    given = options(host="127.0.0.1")
    delattr(given, absent)
    if absent == "port":
        coroutine = wslink_server.start_webserver(given, recorder[0], disableLogging=True, exec_mode="coroutine")
        assert recorder[1][0].server.port == 8080
        coroutine.close()
        return
    async with Session(*recorder, given) as running:
        assert await running.connect()


@pytest.mark.skipif(RELEASED, reason="released packages drop this option on the way")
async def test_static_follow_symlinks_is_passed_on(recorder, tmp_path):
    (tmp_path / "outside.txt").write_text("outside")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "link.txt").symlink_to(tmp_path / "outside.txt")
    given = options("--content", str(tmp_path / "www"), static_follow_symlinks=True)
    async with Session(*recorder, given) as running, running.get("link.txt") as response:
        assert await response.text() == "outside"


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
