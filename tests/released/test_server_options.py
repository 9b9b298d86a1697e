"""wslink.server: options, and what servers make of them."""

import argparse
import asyncio

import pytest

from wslink import server as wslink_server

from .package import RELEASED, since_2
from .peer import SECRET
from .programs import options
from .serving import Visit

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
