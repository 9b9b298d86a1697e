"""Headers at the session proxy: those of requests pass as they came, those of answers stay below the prefix."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Sequence
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from multidict import CIMultiDict
from yarl import URL

from tests.launcher.support import Running, launching
from wslink.launcher.addresses import Prefix

#: A server that writes each request's head to a file, as bytes, and answers with the headers that stand in its query.
SERVER = """
import asyncio, sys
from urllib.parse import parse_qsl, urlsplit

async def answer(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except asyncio.IncompleteReadError:
            break
        with open(sys.argv[2], "ab") as file:
            file.write(repr(head).encode() + b"\\n")
        query = parse_qsl(urlsplit(head.split()[1].decode()).query)
        lines = "".join(f"{name}: {value}\\r\\n" for name, value in query)
        if b"pgrade: websocket" in head:
            writer.write(b"HTTP/1.1 101 Switching\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
            await reader.read()
            break
        writer.write(f"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n{lines}\\r\\n".encode())
        await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    print("it is ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
SMUGGLED = r'Cookie: a="\015\012\015\012POST /transfer HTTP/1.1\015\012X-Remote-User: root\015\012\015\012"; b=1'


class Served(Running):
    """A launcher with one session, whose requests are seen."""

    session: dict[str, Any]

    @property
    def path(self) -> str:
        """The session's path, with its token and a slash at its end."""
        return self.session["sessionURL"].removeprefix("ws://USE_HOST").removesuffix("ws")

    @property
    def heads(self) -> list[str]:
        """The heads that the session got."""
        path = self.directory / "heads"
        text = path.read_text().splitlines() if path.exists() else []
        return [eval(line).decode("latin-1") for line in text]

    async def raw(self, path: str, *lines: str | bytes, method: str = "GET", wait: bool = True) -> bytes:
        """What a request is answered that consists of these very bytes; the head alone unless it is short."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        extra = [line if isinstance(line, bytes) else line.encode() for line in lines]
        if not any(line.lower().startswith(b"host:") for line in extra):
            extra.insert(0, f"Host: {host}:{port}".encode())
        writer.write(b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *extra, b"", b""]))
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        except asyncio.IncompleteReadError as error:
            return error.partial
        finally:
            writer.close()

    async def answered(self, path: str, *headers: tuple[str, str]) -> dict[str, list[str]]:
        """The headers of the answer to a request for one of the session's paths, where it sends these."""
        async with self.http.get(f"{self.url}{self.path}{path}", params=headers, allow_redirects=False) as response:
            return {name.lower(): response.headers.getall(name) for name in response.headers}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async for one in serving(tmp_path):
        yield one


async def serving(directory: Path, **settings: Any) -> AsyncIterator[Served]:
    apps = {"server": {"cmd": [sys.executable, "-S", "-c", SERVER, "${port}", str(directory / "heads")]}}
    apps["server"]["ready_line"] = "it is ready"  # type: ignore[assignment]
    async with launching(directory, apps=apps, **settings) as running:
        one = Served(running.url, running.launcher, directory)
        one.session = await one.start("server")
        yield one
        await one.http.close()


KEY = f"Sec-WebSocket-Key: {'A' * 22}=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY)
COOKIES = ['name="Ada Lovelace"; theme=dark', 'a=b;c=d;  e="f\\"g"', "a", "=x", "a=b=c;;d", 'j={"k":[1,2]}', "n=Ünï"]
BAD_LINES = [b"X: a\x01b", b"X: a\x7fb", b"X: a\rb", b"X: a\nb", b"X\x01: a", b"X y: a", b"X: a\x00b", b"X: \x1b[0m"]
USERS = ["X-Remote-User", "Remote-User", "X_Remote_User", "x-forwarded-user", "REMOTE_USER"]
ADDRESSES = [
    ("/docs/", "docs/"),
    ("/", ""),
    ("/x?next=/y#z", "x?next=/y#z"),
    ("/a:b", "a:b"),
    ("/../../x", "x"),
    ("/%2e%2E/x", "x"),
    ("../../../../../x", "x"),
    ("http://HOST/x", "x"),
    ("http://HOST//evil.example/x", "/evil.example/x"),
    ("//HOST/x", "x"),
    ("http://HOST", ""),
    ("PREFIXx", "x"),
]
"""What a session says of an address of its own, and where below its prefix that is."""
WAYS: list[tuple[str, Sequence[str]]] = [("page", ()), ("ws", UPGRADE)]


@pytest.mark.parametrize(("path", "more"), WAYS, ids=["http", "websocket"])
class TestRequests:
    async def test_a_cookie_smuggles_no_request(self, served: Served, path: str, more: Sequence[str]) -> None:
        await served.raw(served.path + path, SMUGGLED, *more)
        (head,) = served.heads
        assert head.count("HTTP/1.1") == 2  # in the first line, and in the cookie's text
        assert SMUGGLED in head.split("\r\n")
        assert not any(line.startswith(("POST", "X-Remote-User")) for line in head.split("\r\n"))

    async def test_cookies_pass_byte_for_byte(self, served: Served, path: str, more: Sequence[str]) -> None:
        for cookie in COOKIES:
            await served.raw(served.path + path, f"Cookie: {cookie}", *more)
            assert f"Cookie: {cookie}" in served.heads[-1].encode("latin-1").decode().split("\r\n")
        assert SimpleCookie(COOKIES[0])["name"].value == "Ada Lovelace"

    async def test_the_token_stays_here_and_the_rest_does_not_change(
        self, served: Served, path: str, more: Sequence[str]
    ) -> None:
        token = served.path.split("/")[-2]
        short = served.path.removesuffix(f"{token}/")
        cookie = f'a="x y"; wslink-session={token}; b="\\054"'
        await served.raw(short + path, f"Cookie: {cookie}", *more)
        assert 'Cookie: a="x y"; b="\\054"' in served.heads[-1].split("\r\n")
        assert token not in served.heads[-1]

    async def test_control_characters_are_refused(self, served: Served, path: str, more: Sequence[str]) -> None:
        for line in BAD_LINES:
            assert b" 400 " in (await served.raw(served.path + path, line, *more)).split(b"\r\n")[0]
        assert served.heads == []

    async def test_nobody_says_who_the_user_is(self, served: Served, path: str, more: Sequence[str]) -> None:
        for name in USERS:
            await served.raw(served.path + path, f"{name}: root", *more)
            assert "root" not in served.heads[-1]


async def test_bytes_that_are_no_text_pass_or_are_refused(served: Served) -> None:
    await served.raw(served.path + "ws", b"X-Name: Jos\xe9", *UPGRADE)
    assert "X-Name: Jos\xe9" in served.heads[-1].split("\r\n")
    assert b" 400 " in await served.raw(served.path + "page", b"X-Name: Jos\xe9")


class TestTrust:
    async def test_a_trusted_proxy_names_the_user(self, tmp_path: Path) -> None:
        async for served in serving(tmp_path, identity_headers=["X-Remote-User"]):
            told = ["X-Remote-User: ada", "X-Forwarded-For: 9.9.9.9", "X-Real-IP: 9.9.9.9"]
            await served.raw(served.path + "page", *told)
            wanted = {"X-Remote-User: ada", "X-Forwarded-For: 9.9.9.9, 127.0.0.1", "X-Real-IP: 9.9.9.9"}
            assert wanted <= set(served.heads[-1].split("\r\n"))

    async def test_anybody_else_does_not(self, tmp_path: Path) -> None:
        names = ["X-Remote-User", "X-Real-IP", "Forwarded", "X_Forwarded_For"]
        names += [f"X-Forwarded-{name}" for name in ("For", "Host", "Proto", "Prefix")]
        async for served in serving(tmp_path, identity_headers=["X-Remote-User"], trusted_proxies=["10.0.0.1"]):
            await served.raw(served.path + "page", *(f"{name}: forged.example" for name in names))
            assert "forged.example" not in served.heads[-1]
            assert f"X-Forwarded-Host: {served.url.removeprefix('http://')}" in served.heads[-1]


class TestAnswers:
    async def test_an_address_of_the_session_stays_below_its_prefix(self, served: Served) -> None:
        (session,) = served.launcher.sessions.values()
        hosts = f"127.0.0.1:{session.address[1]}", served.url.removeprefix("http://")
        for asked, (given, found), host in itertools.product(("docs", "a/b/docs", "a/b/"), ADDRESSES, hosts):
            value = given.replace("PREFIX", served.path).replace("HOST", host)
            headers = ("Location", value), ("Content-Location", value), ("Refresh", f"5; url={value}")
            told = await served.answered(asked, *headers)
            for name in ("location", "content-location", "refresh"):
                answer = told[name][0].removeprefix("5; url=")
                reached = urljoin(f"https://lab.example/deep{served.path}{asked}", answer)
                # Browsers keep the empty segment that Python's urljoin leaves out.
                assert reached == f"https://lab.example/deep{served.path}{found.lstrip('/')}", (asked, value, answer)

    async def test_any_other_address_stays_as_it_is(self, served: Served) -> None:
        for value in ("https://login.example/x", "//cdn.example/x", "mailto:ada@lab.example", "?x=1", "#y"):
            told = await served.answered("docs", ("Location", value), ("Refresh", f"0;URL='{value}'"))
            assert (told["location"], told["refresh"]) == ([value], [f"0;URL='{value}'"])

    async def test_a_refresh_without_an_address_stays(self, served: Served) -> None:
        assert (await served.answered("docs", ("Refresh", "30")))["refresh"] == ["30"]

    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ("0;url='/x'", "0;url='x'"),
            ('0 , URL = "/x" ', '0 , URL = "x" '),
            ("0;url='/x", "0;url='/x"),
            ("0;url=''", "0;url=''"),
        ],
    )
    def test_an_address_is_found_between_quotes(self, value: str, found: str) -> None:
        prefix = Prefix("/s/", "/s/", "/", ("h",))
        assert prefix.rewrite(CIMultiDict({"Refresh": value}))["Refresh"] == found

    @pytest.mark.parametrize("value", [" " * 60_000 + "x", "0;url=x" + " " * 60_000 + "y", "0;url='" + "' " * 30_000])
    def test_a_long_refresh_is_read_in_linear_time(self, value: str) -> None:
        """In quadratic time it would take 10 s."""
        began = time.process_time()
        Prefix("/s/", "/s/", "/", ("h",)).rewrite(CIMultiDict({"Refresh": value}))
        assert time.process_time() - began < 2

    async def test_cookies_of_a_session_are_its_own(self, served: Served) -> None:
        cookies = ['a="x y"; Path=/; HttpOnly', "b=1; path=/api", "c=1", f"d=1; Path={served.path}z", "e=1; Path=x"]
        told = await served.answered("docs", *(("Set-Cookie", one) for one in cookies))
        at = served.path
        wanted = [f'a="x y"; Path={at}; HttpOnly', f"b=1; path={at}api", "c=1", f"d=1; Path={at}z", "e=1; Path=x"]
        assert told["set-cookie"] == wanted

    async def test_cookies_behind_a_web_server_have_its_path(self, tmp_path: Path) -> None:
        url = "ws://USE_HOST/lab/paraview/session/${id}/${token}/ws"
        async for served in serving(tmp_path, sessionURL=url):
            public, inner = served.path, served.path.removeprefix("/lab")
            async with served.http.get(f"{served.url}{inner}", params={"Set-Cookie": "a=1; Path=/x"}) as response:
                assert response.headers["Set-Cookie"] == f"a=1; Path={public}x"


@pytest.mark.parametrize("query", ["", "?theme=dark"])
async def test_an_address_without_its_last_slash_leads_to_the_one_with_it(served: Served, query: str) -> None:
    for path in (served.path.rstrip("/"), "/".join(served.path.split("/")[:-2])):
        async with served.http.get(f"{served.url}{path}{query}", allow_redirects=False) as response:
            assert response.status == 307
            reached = urljoin(f"https://lab.example/deep{path}{query}", response.headers["Location"])
            assert reached == f"https://lab.example/deep{path}/{query}"
    session = "/".join(served.path.split("/")[:-3])
    for name in ("https:evil.example", "javascript:alert(1)", "data:,x", "%5C%5Cevil.example"):
        at = URL(f"{served.url}{session}/{name}{query}", encoded=True)
        async with served.http.get(at, allow_redirects=False) as response:
            assert response.status == 307
            assert response.headers["Location"] == f"./{name}/{query}"
    token = served.path.split("/")[-2]
    async with served.http.get(served.url + served.path.rstrip("/").replace(token, token[::-1])) as response:
        assert response.status == 404
    assert served.heads == []
