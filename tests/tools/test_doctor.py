"""`wslink doctor`: faults of names, networks, TLS, clocks and frames; those of proxies are in tests/deployment."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import Serve
from tests.ports import free_port
from tests.tools.test_commands import run
from wslink import App, Limits
from wslink.tools.doctor import examine
from wslink.tools.findings import Finding
from wslink.tools.options import Target


async def failed(url: str, **options: Any) -> Finding:
    target = Target(url, "secret", 5.0, options.pop("insecure", False), {})
    findings = [finding async for finding in examine(target, **options)]
    bad = [finding for finding in findings if finding.good is False]
    assert len(bad) == 1, [finding.lines() for finding in findings]
    assert bad[0].hop
    assert bad[0].cure
    return bad[0]


async def test_a_name_that_nobody_knows() -> None:
    one = await failed("ws://no-such-name.invalid/ws")
    assert (one.what, one.hop) == ("name", "the name server")


async def test_a_port_at_which_nothing_listens() -> None:
    one = await failed(f"ws://127.0.0.1:{free_port()}/ws")
    assert (one.what, one.hop) == ("network", "the server's machine")
    assert "start the server" in one.cure


async def test_what_is_no_http(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        one = await failed(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws")
    assert one.what == "http"


def certificate(folder: Path, name: str, days: tuple[int, int]) -> ssl.SSLContext:
    """A self-signed one, valid from and to so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address(name))] if name[0].isdigit() else [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@contextlib.asynccontextmanager
async def serving(handler: Callable[[web.Request], Any], context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An HTTP server of one handler; its port."""
    application = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        return answer

    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("name", "days", "why"),
    [
        ("127.0.0.1", (-2, 9), "self-signed one"),
        ("127.0.0.1", (-9, -2), "renew the certificate"),
        ("127.0.0.1", (2, 9), "clock"),
        ("other.example.org", (-2, 9), "a name that the certificate is for"),
    ],
)
async def test_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: tuple[int, int], why: str
) -> None:
    context = certificate(tmp_path, name, days)
    if "self-signed" not in why:  # it is trusted, so that something else is wrong with it
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="here")

    async with serving(answer, context) as port:
        one = await failed(f"wss://127.0.0.1:{port}/ws")
    assert one.what == "tls", one.lines()
    assert why in one.cure, one.lines()


async def test_tls_where_none_is_spoken(app: App, serve: Serve) -> None:
    url = await serve(app)
    one = await failed(url.replace("ws://", "wss://"))
    assert one.what == "tls"
    assert "use ws://" in one.cure


async def relayed(request: web.Request, url: str, most: int, date: str = "") -> web.StreamResponse:
    """A proxy that passes frames of at most `most` bytes."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return web.Response(text="here", headers={"Date": date} if date else {})
    near = web.WebSocketResponse(max_msg_size=most)
    if date:
        near.headers["Date"] = date
    await near.prepare(request)
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as far:

        async def back() -> None:
            async for message in far:
                await near.send_bytes(message.data)

        task = asyncio.create_task(back())
        async for message in near:
            await far.send_bytes(message.data)
        task.cancel()
    return near


async def test_a_proxy_that_drops_large_frames(app: App, serve: Serve) -> None:
    url = await serve(app)
    async with serving(lambda request: relayed(request, url, 100_000)) as port:
        one = await failed(f"ws://127.0.0.1:{port}/ws")
    assert (one.what, one.hop) == ("frame size", "the proxy"), one.lines()
    assert "60 kB pass, 200 kB do not" in one.text
    assert "WSLINK_MAX_MSG_SIZE=60000" in one.cure


async def test_a_server_with_a_small_limit(serve: Serve) -> None:
    one = await failed(await serve(App(secret="secret", limits=Limits(max_message=500_000))))
    assert (one.what, one.hop) == ("frame size", "the server"), one.lines()


async def test_clocks_that_differ(app: App, serve: Serve) -> None:
    url = await serve(app)
    async with serving(lambda request: relayed(request, url, 2**24, "Sat, 01 Jan 2022 00:00:00 GMT")) as port:
        one = await failed(f"ws://127.0.0.1:{port}/ws")
    assert one.what == "clock"
    assert "ahead" in one.text


@pytest.fixture
def app() -> App:
    return App(secret="secret")


async def test_the_command_says_it_in_lines(app: App, serve: Serve) -> None:
    url = await serve(app)
    code, out, err = await run("doctor", url, "--secret", "secret")
    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1] == "all is well"
    assert "ok   frame size  messages of 4.2 MB pass" in out
    code, out, _ = await run("doctor", url.replace("/ws", "/wss"), "--secret", "secret")
    assert code == 1
    assert "FAIL path        there is no /wss; /ws is a WebSocket" in out
    assert f"     cure:       use {url}" in out
