"""wslink.backends.aiohttp: static files, headers, settings of the module."""

import asyncio
import importlib

import pytest
from aiohttp import web

from wslink.backends import aiohttp as backend
from wslink.protocol import AbstractWebApp
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .package import since_2
from .serving import Protocol, serving, started, write_site


@pytest.fixture
def site(tmp_path):
    return write_site(tmp_path / "www")


async def test_create_webserver_makes_a_web_app_server():
    server = create_webserver({"port": 0})
    assert type(server) is backend.WebAppServer
    assert isinstance(server, AbstractWebApp)
    assert type(backend.create_webserver({"port": 0})) is backend.WebAppServer


async def test_the_root_leads_to_the_index(site):
    async with serving(Protocol(), static={"/": str(site)}) as running:
        async with running.get("") as response:
            assert (response.status, response.headers["Location"]) == (302, "index.html")
        async with running.get("?a=1&b=2") as response:
            assert response.headers["Location"] == "index.html?a=1&b=2"


async def test_static_files(site):
    async with serving(Protocol(), static={"/": str(site)}) as running:
        for path, text in [("index.html", "index"), ("deep/page.txt", "page")]:
            async with running.get(path) as response:
                assert (response.status, await response.text()) == (200, text)
        for path, status in [("missing.html", 404), ("deep", 403), ("%2e%2e/secret", 404), ("deep/../../x", 404)]:
            async with running.get(path) as response:
                assert response.status == status, path


async def test_files_know_their_type(site):
    (site / "app.js").write_text("1")
    async with serving(Protocol(), static={"/": str(site)}) as running:
        async with running.get("index.html") as response:
            assert response.content_type == "text/html"
        async with running.get("app.js") as response:
            assert "javascript" in response.content_type


async def test_a_longer_route_wins(site, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "page.txt").write_text("other")
    async with serving(Protocol(), static={"/": str(site), "deep": str(tmp_path / "other")}) as running:
        async with running.get("deep/page.txt") as response:
            assert await response.text() == "other"


async def test_the_websocket_wins_over_static_files(site):
    (site / "ws").write_text("not me")
    async with serving(Protocol(), static={"/": str(site)}) as running:
        assert await running.connect()


async def test_ranges_and_conditions(site):
    async with serving(Protocol(), static={"/": str(site)}) as running:
        async with running.get("index.html", headers={"Range": "bytes=1-2"}) as response:
            assert (response.status, await response.text()) == (206, "nd")
        async with running.get("index.html") as response:
            modified = response.headers["Last-Modified"]
        async with running.get("index.html", headers={"If-Modified-Since": modified}) as response:
            assert response.status == 304


@pytest.fixture
def linked(site, tmp_path):
    (tmp_path / "outside.txt").write_text("outside")
    (site / "link.txt").symlink_to(tmp_path / "outside.txt")
    return site


async def test_symbolic_links_are_not_followed(linked):
    async with serving(Protocol(), static={"/": str(linked)}) as running, running.get("link.txt") as response:
        assert response.status == 404


@since_2
async def test_symbolic_links_are_followed_by_configuration(linked):
    config = {"static": {"/": str(linked)}, "static_follow_symlinks": True}
    async with serving(Protocol(), **config) as running, running.get("link.txt") as response:
        assert await response.text() == "outside"


@since_2
async def test_symbolic_links_are_followed_by_environment(linked, monkeypatch):
    monkeypatch.setenv("WSLINK_FOLLOW_SYMLINKS", "1")
    async with serving(Protocol(), static={"/": str(linked)}) as running, running.get("link.txt") as response:
        assert await response.text() == "outside"


@since_2
class TestHeaders:
    """HTTP_HEADERS, which software assigns and updates at run time."""

    async def test_they_are_assigned_before_a_server_is_made(self, site, monkeypatch):
        monkeypatch.setattr(backend, "HTTP_HEADERS", {"X-One": "1", "Access-Control-Allow-Origin": "*"})
        async with serving(Protocol(), static={"/": str(site)}) as running, running.get("index.html") as response:
            assert response.headers["X-One"] == "1"
            assert response.headers["Access-Control-Allow-Origin"] == "*"

    async def test_the_dictionary_stays_alive(self, site, monkeypatch):
        headers = {"X-One": "1"}
        monkeypatch.setattr(backend, "HTTP_HEADERS", headers)
        async with serving(Protocol(), static={"/": str(site)}) as running:
            headers["X-Two"] = "2"
            async with running.get("index.html") as response:
                assert response.headers["X-Two"] == "2"

    async def test_a_header_of_the_response_stays(self, monkeypatch):
        async def own(request):
            return web.Response(headers={"X-One": "own"})

        monkeypatch.setattr(backend, "HTTP_HEADERS", {"X-One": "1"})
        async with serving(Protocol(), lambda server: server.app.router.add_get("/own", own)) as running:
            async with running.get("own") as response:
                assert response.headers["X-One"] == "own"

    async def test_there_are_none_by_default(self, site):
        assert not backend.HTTP_HEADERS
        async with serving(Protocol(), static={"/": str(site)}) as running, running.get("index.html") as response:
            assert not [name for name in response.headers if name.startswith(("Cross-", "Access-", "X-"))]

    async def test_a_websocket_still_opens(self, monkeypatch):
        monkeypatch.setattr(backend, "HTTP_HEADERS", {"X-One": "1"})
        async with serving(Protocol()) as running:
            assert await running.connect()


async def test_a_middleware_is_left_when_the_connection_ends():
    seen, left = [], asyncio.Event()

    @web.middleware
    async def around(request, handler):
        seen.append(request.path)
        response = await handler(request)
        seen.append((response.status, isinstance(response, web.WebSocketResponse)))
        left.set()
        return response

    class Curious(LinkProtocol):
        def onConnect(self, request, client_id):
            seen.append("connected")

    def prepare(server):
        server.app.middlewares.append(around)

    async with serving(Protocol(Curious()), prepare) as running:
        peer = await running.connect()
        await asyncio.sleep(0.1)
        assert seen == ["/ws", "connected"]
        await peer.close()
        await asyncio.wait_for(left.wait(), 5)
    assert seen[2:] == [(101, True)]


@since_2
class TestSettings:
    """Module globals that a reload reads from the environment."""

    def test_defaults(self):
        module = importlib.import_module("wslink.backends.aiohttp")
        assert (module.MAX_MSG_SIZE, module.MSG_OVERHEAD, module.HEART_BEAT) == (4194304, 4096, 30)
        assert module.WS_COMPRESS is True and module.HTTP_HEADERS is None

    def test_reload(self, monkeypatch):
        monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "1000")
        monkeypatch.setenv("WSLINK_MSG_OVERHEAD", "10")
        monkeypatch.setenv("WSLINK_HEART_BEAT", "5")
        monkeypatch.setenv("WSLINK_WS_COMPRESS", "0")
        backend.reload_settings()
        assert (backend.MAX_MSG_SIZE, backend.MSG_OVERHEAD, backend.HEART_BEAT) == (1000, 10, 5)
        assert backend.WS_COMPRESS is False

    @pytest.mark.parametrize("value", ["0", "-1"])
    def test_a_heartbeat_below_1_is_none(self, monkeypatch, value):
        monkeypatch.setenv("WSLINK_HEART_BEAT", value)
        backend.reload_settings()
        assert backend.HEART_BEAT is None

    async def test_making_a_server_reloads(self, monkeypatch):
        monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "2000")
        create_webserver({"port": 0})
        assert backend.MAX_MSG_SIZE == 2000

    async def test_the_frame_limit_is_read_when_a_server_is_made(self, monkeypatch):
        monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "20000")
        async with serving(Protocol()) as running:
            peer = await running.connect()
            await peer.frames.send_bytes(b"x" * 30000)
            assert await peer.ended() == 1009

    @pytest.mark.parametrize(
        ("config", "compress"), [({}, True), ({"ws_compress": False}, False), ({"ws_compress": True}, True)]
    )
    async def test_compression(self, config, compress):
        assert create_webserver({"port": 0, **config}).ws_compress is compress

    async def test_configuration_wins_over_the_environment(self, monkeypatch):
        monkeypatch.setenv("WSLINK_WS_COMPRESS", "0")
        assert create_webserver({"port": 0}).ws_compress is False
        assert create_webserver({"port": 0, "ws_compress": True}).ws_compress is True


async def test_a_subclass_of_the_server():
    class Mine(backend.WebAppServer):
        def __init__(self, config):
            super().__init__(config)
            self.started = False

        async def start(self, port_callback=None):
            self.started = True
            await super().start(port_callback)

    server = Mine({"host": "127.0.0.1", "port": 0, "handle_signals": False, "ws": {"ws": Protocol()}})
    async with started(server) as running:
        assert await running.connect() and server.started


async def test_runner_and_site():
    server = create_webserver({"port": 0})
    assert server.runner is None and server.site is None
    async with serving(Protocol()) as running:
        assert running.server.runner.addresses[0][1] == running.port
        assert running.server.site is not None


async def test_two_servers_live_side_by_side():
    async with serving(Protocol(secret="a")) as one, serving(Protocol(secret="b")) as two:
        assert one.port != two.port
        assert await one.connect(secret="a") and await two.connect(secret="b")
