"""HTTP beside the WebSocket: static files, the client, health probes."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from tests.conftest import Open, Serve
from wslink import App, UsageError


@pytest.fixture
def www(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<h1>home</h1>")
    (root / "sub" / "index.html").write_text("sub")
    (root / "a file.txt").write_text("text")
    (tmp_path / "private.txt").write_text("private")
    (root / "leak.txt").symlink_to(tmp_path / "private.txt")
    return root


async def get(url: str, path: str) -> tuple[int, str, str]:
    """The path is sent as it is: `aiohttp` would tidy up `..`."""
    import yarl

    address = yarl.URL(url.replace("ws://", "http://").removesuffix("/ws") + path, encoded=True)
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return response.status, response.content_type, await response.text()


async def test_static_files(app: App, serve: Serve, www: Path) -> None:
    url = await serve(app, content=str(www), fs_endpoints=f"data={www / 'sub'}|more/data={www}")
    assert await get(url, "/") == (200, "text/html", "<h1>home</h1>")
    assert await get(url, "/a%20file.txt") == (200, "text/plain", "text")
    assert (await get(url, "/sub"))[2] == "sub"
    assert (await get(url, "/data/"))[2] == "sub"
    assert (await get(url, "/more/data/a%20file.txt"))[2] == "text"
    assert (await get(url, "/nothing.txt"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../private.txt",
        "/sub/../../private.txt",
        "/%2e%2e/private.txt",
        "/..%2fprivate.txt",
        "//private.txt",
        "/leak.txt",
        "/" + "a" * 300,
        "/" + "a/" * 2500,
        "/%ff%fe",
        "/a%0ab",
        "/%00",
    ],
)
async def test_nothing_outside_of_the_folder_is_served(app: App, serve: Serve, www: Path, path: str) -> None:
    assert (await get(await serve(app, content=str(www)), path))[0] in (400, 404)


@pytest.mark.parametrize("prefix", ["", "/lab", "/user/ada/proxy/8080"])
@pytest.mark.parametrize(
    "path",
    ["/sub", "/sub?secret=a%26b", "//sub", "//evil.org/..%2fsub", "/%2fevil.org/..%2fsub", "/sub/../sub",
     "/with%20space", "/colon:", "/data", "/more/data"],
)  # fmt: skip
async def test_a_folder_is_redirected_to_below_whatever_a_proxy_serves_it_below(
    app: App, serve: Serve, www: Path, path: str, prefix: str
) -> None:
    import yarl

    for name in ("with space", "colon:"):
        (www / name).mkdir()
        (www / name / "index.html").write_text("sub")
    url = await serve(app, content=str(www), fs_endpoints=f"data={www / 'sub'}|more/data={www / 'sub'}")
    url = url.replace("ws://", "http://").removesuffix("/ws")
    async with aiohttp.ClientSession() as session:
        async with session.get(yarl.URL(url + path, encoded=True), allow_redirects=False) as response:
            assert response.status == 301
        there = urljoin(f"{url}{prefix}{path}", response.headers["Location"])
        assert there.startswith(f"{url}{prefix}/")
        assert there.partition("?")[2] == path.partition("?")[2]
        async with session.get(yarl.URL(there.replace(prefix, "", 1), encoded=True)) as page:
            assert (page.status, await page.text()) == (200, "sub")


@pytest.mark.parametrize("backend", ["app", "aiohttp", "tornado"])
async def test_files_whose_names_begin_with_a_dot_are_not_served(
    app: App, serve: Serve, www: Path, backend: str
) -> None:
    for name in (".git/config", ".env", "sub/.htpasswd", ".well-known/security.txt", "a.b/c.txt"):
        (www / name).parent.mkdir(exist_ok=True)
        (www / name).write_text("text")
    (www / "link").symlink_to(".git")
    if backend == "app":
        url, stop = await serve(app, content=str(www), fs_endpoints=f"data={www}"), None
    else:
        from wslink.server import create_webserver

        static = {"/": str(www), "/data": str(www)}
        server = create_webserver({"port": 0, "host": "127.0.0.1", "static": static, "handle_signals": False}, backend)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(server.start(port.set_result))
        url, stop = f"ws://127.0.0.1:{await port}/ws", server.stop
    for route in ("", "/data"):
        for hidden in (".git/config", ".env", "%2eenv", "sub/.htpasswd", "sub/../.env", "x/%2e%2e/.env"):
            assert (await get(url, f"{route}/{hidden}"))[0] in (403, 404), hidden
        for shown in (".well-known/security.txt", "a.b/c.txt"):
            assert (await get(url, f"{route}/{shown}"))[0] == 200, shown
    if backend == "app":
        assert (await get(url, "/link/config"))[0] == 404
    if stop is not None:
        await stop()
        await task


async def test_health(app: App, serve: Serve, www: Path) -> None:
    url = await serve(app)
    assert await get(url, "/health") == (200, "application/json", '{"status": "ok"}')
    (www / "health").mkdir()
    (www / "health" / "index.html").write_text("how are you")
    other = await serve(App(), content=str(www))
    assert (await get(other, "/health/"))[2] == "how are you"
    assert (await get(other, "/health"))[2] == "how are you"


async def test_the_client_is_compressed_and_asked_for_once(app: App, serve: Serve) -> None:
    url = (await serve(app)).replace("ws://", "http://").removesuffix("ws") + "wslink/client.js"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert response.headers["Vary"] == "Accept-Encoding"
            small = await response.read()
        for taken in ("br, GZIP;q=0.5", "gzip;q=1", "x-gzip"):
            async with session.get(url, headers={"Accept-Encoding": taken}) as response:
                assert response.headers["Content-Encoding"] == "gzip", taken
        for taken in ("identity", "gzip;q=0", "gzip ; q=0.000, br"):
            async with session.get(url, headers={"Accept-Encoding": taken}) as response:
                assert "Content-Encoding" not in response.headers, taken
                whole = await response.read()
        assert gzip.decompress(small) == whole
        assert len(small) < len(whole) / 2
        async with session.get(url, headers={"If-None-Match": response.headers["ETag"]}) as response:
            assert (response.status, await response.read()) == (304, b"")
        for name in ("no.js", ".hidden", "..%2fstatic%2fclient.js", "a" * 300):
            async with session.get(url.replace("client.js", name)) as response:
                assert response.status == 404


async def test_symbolic_links_are_followed_where_that_is_asked_for(app: App, serve: Serve, www: Path) -> None:
    assert (await get(await serve(app, content=str(www), follow_symlinks=True), "/leak.txt"))[2] == "private"


async def test_headers_for_static_files_come_from_a_file(
    app: App, serve: Serve, www: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "headers.json").write_text(json.dumps({"Cross-Origin-Opener-Policy": "same-origin"}))
    monkeypatch.setenv("WSLINK_HTTP_HEADERS", str(tmp_path / "headers.json"))
    url = await serve(app, content=str(www))
    async with (
        aiohttp.ClientSession() as session,
        session.get(url.replace("ws://", "http://").removesuffix("ws")) as page,
    ):
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("text", ["[", "[1]", '{"a": 1}', None])
async def test_bad_headers_are_named(app: App, serve: Serve, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "headers.json").write_text(text)
    with pytest.raises(UsageError, match=r"headers\.json"):
        await serve(app, http_headers=str(tmp_path / "headers.json"))


async def test_settings_that_cannot_be_followed_are_named(app: App, serve: Serve) -> None:
    with pytest.raises(UsageError, match="'/no/such' is not a directory"):
        await serve(app, content="/no/such")
    with pytest.raises(UsageError, match="unknown setting 'prot'; settings: application_thread, content, debug"):
        await serve(app, prot=8080)
    with pytest.raises(UsageError, match="'a' is not of the form route=DIRECTORY"):
        await serve(app, fs_endpoints="a")


async def test_the_client_is_served_with_its_source_map(app: App, serve: Serve) -> None:
    url = await serve(app)
    status, kind, text = await get(url, "/wslink/client.js")
    assert (status, kind.partition("/")[2]) == (200, "javascript")
    assert "sourceMappingURL=client.js.map" in text
    sources = json.loads((await get(url, "/wslink/client.js.map"))[2])
    assert sources["sourcesContent"]
    assert not any(source.startswith("/") for source in sources["sources"])


async def test_a_plain_get_of_the_websocket_route_leaves_no_trace(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app)
    assert (await get(url, "/ws"))[0] == 426
    assert not app.clients
    assert "result" in await (await peers(url)).hello("secret")


async def test_the_route_of_the_websocket_can_be_chosen(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app, ws="/deep/link")
    assert "result" in await (await peers(url.removesuffix("ws") + "deep/link")).hello("secret")


async def test_a_frame_over_the_limit_closes_with_1009(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "100000")
    peer = await peers(await serve(app))
    assert (await peer.hello("secret"))["result"]["maxMsgSize"] == 100_000
    await peer.socket.send_bytes(bytes(105_000))
    assert (await peer.closed())[0] == 1009


async def test_messages_to_clients_keep_to_the_frame_size(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "5000")
    app.method("test.bytes")(lambda: bytes(20_000))
    peer = await peers(await serve(app), hello={"secret": "secret"})
    peer.sizes.clear()
    assert (await peer.call("test.bytes"))["result"] == bytes(20_000)
    assert max(peer.sizes) == 5000
    assert len(peer.sizes) == 5


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_server_that_knows_its_names_answers_no_other(
    app: App, serve: Serve, peers: Open, www: Path, engine: str
) -> None:
    url = await serve(app, content=str(www), hosts="viewer.example, .inside.example", engine=engine)
    page = url.replace("ws://", "http://").removesuffix("ws")

    async def answers(host: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(page, headers={"Host": host}) as response:
            return response.status

    for _ in range(2):  # the first connection and later ones arrive by different ways
        for host in ("viewer.example", "viewer.example:8080", "a.inside.example", "localhost", "10.0.0.7:80", "node7"):
            assert await answers(host) == 200, host
            await peers(url, hello={"secret": "secret"}, headers={"Host": host})
        for host in ("evil.example", "viewer.example.evil.example", "inside.example.evil", "xinside.example"):
            assert await answers(host) == 421, host
            with pytest.raises(aiohttp.WSServerHandshakeError, match="421"):
                await peers(url, headers={"Host": host, "Origin": f"http://{host}"})
