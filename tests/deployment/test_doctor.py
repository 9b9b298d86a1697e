"""`wslink doctor` behind real proxies, each with one fault: it names the hop and the cure."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import Serve
from tests.deployment.servers import MODULES, WebServer, apache, missing, nginx
from wslink import App, Limits
from wslink.ssl_context import generate_ssl_pair
from wslink.tools.doctor import examine
from wslink.tools.findings import Finding
from wslink.tools.options import Target

pytestmark = pytest.mark.timeout(60)
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
HOST = "proxy_set_header Host $http_host;"
KINDS = [
    pytest.param("nginx", marks=pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")),
    pytest.param("apache", marks=pytest.mark.skipif(missing("apache2"), reason="Apache is not installed")),
]


def proxy(
    kind: str,
    directory: Path,
    port: int,
    *,
    path: str = "/",
    to: str = "/",
    upgrade: bool = True,
    host: bool = True,
    nginx_more: str = "",
    timeout: int = 60,
) -> WebServer:
    """A proxy in front of the server at `port`."""
    if kind == "nginx":
        lines = [f"proxy_pass http://127.0.0.1:{port}{to};", f"proxy_read_timeout {timeout}s;", nginx_more]
        lines += [UPGRADE] * upgrade + [HOST] * host
        return nginx(directory, f"server {{ listen 8080;\nlocation {path} {{ {' '.join(lines)} }}\n}}")
    how = "upgrade=websocket" if upgrade else ""
    rules = f"ProxyPass {path} http://127.0.0.1:{port}{to} {how} timeout={timeout}"
    keep = "ProxyPreserveHost On" if host else "ProxyPreserveHost Off\nProxyAddHeaders Off"
    return apache(
        directory,
        f"Listen 8080\nTimeout {timeout}\nProxyTimeout {timeout}\n"
        f"<VirtualHost *:8080>\n{keep}\n{rules}\n</VirtualHost>",
    )


async def found(
    url: str, origin: str | None = None, idle: float = 0, secret: str = "secret", insecure: bool = False
) -> dict[str, Finding]:
    target = Target(url, secret, 10.0, insecure, {})
    return {finding.what: finding async for finding in examine(target, origin, idle)}


def named(kind: str) -> str:
    """How a proxy that changed a request is named: Apache leaves the server's own name in the answer."""
    return kind if kind == "nginx" else "a proxy in front of the server"


def failed(findings: dict[str, Finding]) -> Finding:
    bad = [finding for finding in findings.values() if finding.good is False]
    assert len(bad) == 1, [finding.lines() for finding in findings.values()]
    assert bad[0].hop
    assert bad[0].cure
    return bad[0]


def port_of(url: str) -> int:
    return int(url.split(":")[2].partition("/")[0])


@pytest.fixture
async def port(serve: Serve) -> int:
    return port_of(await serve(App(secret="secret"), heart_beat=0))


@pytest.mark.parametrize("kind", KINDS)
async def test_all_is_well(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port) as host:
        findings = await found(f"ws://{host}/ws", idle=1)
    assert [one.lines() for one in findings.values() if one.good is False] == []
    assert set(findings) >= {"name", "network", "http", "clock", "upgrade", "origin", "secret", "frame size", "idle"}
    assert findings["compression"].good


@pytest.mark.parametrize("kind", KINDS)
async def test_the_upgrade_is_dropped(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port, upgrade=False) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, named(kind) in one.hop) == ("upgrade", True), one.lines()
    assert "proxy_set_header Upgrade" in one.cure
    assert "proxy_wstunnel" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_host_is_changed(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port, host=False) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, named(kind) in one.hop) == ("host", True), one.lines()
    assert "ProxyPreserveHost On" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_origin_is_foreign(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port) as host:
        one = failed(await found(f"ws://{host}/ws", origin="https://portal.example.org"))
    assert (one.what, one.hop) == ("origin", "the server")
    assert "--origins https://portal.example.org" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_path_is_not_taken_off(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port, path="/viewer/", to="/viewer/") as host:
        one = failed(await found(f"ws://{host}/viewer/ws"))
    assert one.what == "path"
    assert "the proxy" in one.hop
    assert "proxy_pass http://127.0.0.1:8080/" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_url_has_another_path(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port, path="/viewer/", to="/") as host:
        one = failed(await found(f"ws://{host}/viewer/live/ws"))
    assert (one.what, one.hop) == ("path", "the URL")
    assert f"ws://{host}/viewer/ws" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_server_is_not_there(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path, 1) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, kind in one.hop.lower()) == ("upgrade", True), one.lines()
    assert "start the server" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_proxy_does_not_wait(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port, timeout=1) as host:
        one = failed(await found(f"ws://{host}/ws", idle=5))
    assert (one.what, one.hop) == ("idle", "the proxy"), one.lines()
    assert "WSLINK_HEART_BEAT=1" in one.cure
    assert "proxy_read_timeout" in one.cure


@pytest.mark.parametrize("kind", KINDS[:1])  # Apache passes that header on, whatever it is told
async def test_the_answer_to_compression_is_lost(kind: str, tmp_path: Path, port: int) -> None:
    hide = "proxy_hide_header Sec-WebSocket-Extensions;"
    async with proxy(kind, tmp_path, port, nginx_more=hide) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, one.hop) == ("compression", "the proxy"), one.lines()
    assert "--no-ws-compress" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_secret_is_wrong(kind: str, tmp_path: Path, port: int) -> None:
    async with proxy(kind, tmp_path, port) as host:
        one = failed(await found(f"ws://{host}/ws", secret="other"))
    assert one.what == "secret"
    assert "--secret" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_that_nobody_knows(kind: str, tmp_path: Path, port: int) -> None:
    async with tls_proxy(kind, tmp_path, port) as host:
        one = failed(await found(f"wss://{host}/ws"))
        assert one.what == "tls"
        assert "--insecure" in one.cure
        findings = await found(f"wss://{host}/ws", insecure=True)
        assert [finding.lines() for finding in findings.values() if finding.good is False] == []
        plain = failed(await found(f"ws://{host}/ws"))
        assert (plain.what, plain.hop) == ("upgrade", "the URL"), plain.lines()
        assert plain.cure == f"use wss://{host}/ws"


def tls_proxy(kind: str, directory: Path, port: int) -> WebServer:
    """A proxy with a certificate of its own in front of the server at `port`."""
    certificate, key = generate_ssl_pair("localhost")
    if kind == "nginx":
        tls = f"listen 8080 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
        passed = f"proxy_pass http://127.0.0.1:{port}; {UPGRADE} {HOST}"
        return nginx(directory, f"server {{ {tls}\nlocation / {{ {passed} }}\n}}")
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in ("socache_shmcb", "ssl"))
    tls = f"SSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}"
    passed = f"ProxyPreserveHost On\nProxyPass / http://127.0.0.1:{port}/ upgrade=websocket"
    return apache(directory, f"{modules}Listen 8080\n<VirtualHost *:8080>\n{tls}\n{passed}\n</VirtualHost>")


@pytest.mark.parametrize("kind", KINDS)
async def test_plain_http_is_sent_on_to_tls(kind: str, tmp_path: Path) -> None:
    if kind == "nginx":
        sent_on = nginx(tmp_path, "server { listen 8080; return 301 https://$http_host$request_uri; }")
    else:
        rule = "RewriteEngine On\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]"
        sent_on = apache(tmp_path, f"Listen 8080\n<VirtualHost *:8080>\n{rule}\n</VirtualHost>")
    async with sent_on as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, one.hop) == ("upgrade", "the URL"), one.lines()
    assert f"use wss://{host}/ws" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_server_takes_no_large_messages(kind: str, tmp_path: Path, serve: Serve) -> None:
    small = port_of(await serve(App(secret="secret", limits=Limits(max_message=500_000))))
    async with proxy(kind, tmp_path, small) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, one.hop) == ("frame size", "the server"), one.lines()
    assert "limits" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_clock_is_wrong(kind: str, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr("wslink.tools.checks.time", SimpleNamespace(time=lambda: now() + 3600))
    async with proxy(kind, tmp_path, port) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, " s ahead" in one.text) == ("clock", True), one.lines()
    assert "timedatectl" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_proxy_wants_to_know_who_asks(kind: str, tmp_path: Path, port: int) -> None:
    if kind == "nginx":
        asks = proxy(kind, tmp_path, port, nginx_more='auth_basic "viewer"; auth_basic_user_file /dev/null;')
    else:
        rule = "RewriteEngine On\nRewriteCond %{HTTP:Authorization} ^$\nRewriteRule ^ - [R=401,L]"
        asks = apache(tmp_path, f"Listen 8080\n<VirtualHost *:8080>\n{rule}\n</VirtualHost>")
    async with asks as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, kind in one.hop.lower()) == ("upgrade", True), one.lines()
    assert "--header" in one.cure


@pytest.mark.parametrize("kind", KINDS)
async def test_the_server_does_not_answer(kind: str, tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with silent, proxy(kind, tmp_path, silent.sockets[0].getsockname()[1], timeout=1) as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, kind in one.hop.lower()) == ("upgrade", True), one.lines()
    assert "does not reach the server" in one.text


@pytest.mark.parametrize("kind", KINDS[1:])  # nginx does not start with such a name
async def test_the_proxy_does_not_know_the_servers_name(kind: str, tmp_path: Path) -> None:
    rules = "ProxyPass / http://no-such-name.invalid:8080/ upgrade=websocket"
    async with apache(tmp_path, f"Listen 8080\n<VirtualHost *:8080>\n{rules}\n</VirtualHost>") as host:
        one = failed(await found(f"ws://{host}/ws"))
    assert (one.what, "apache" in one.hop.lower()) == ("upgrade", True), one.lines()
    assert "address and port" in one.cure
