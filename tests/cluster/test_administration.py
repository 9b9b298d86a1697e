"""Brokers that do not let workers in, as an administrator meets them: what is said, and what is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.servers import Server
from tests.cluster.test_cluster import HELLO, until
from tests.conftest import Open, Serve
from tests.ports import free_port
from wslink import App, UsageError
from wslink.cluster import cluster, nats_log
from wslink.errors import BrokerError
from wslink.http.tls import write_self_signed
from wslink.server.cli import main

PASSWORD = "s3cr3t-of-the-broker"
NATS_USERS = """
accounts: {A: {jetstream: enabled, users: [
  {user: "wslink", password: "PASSWORD"},
  {user: "weak", password: "PASSWORD", permissions: {publish: "other.>", subscribe: "_INBOX.>"}}
]}}
"""

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(scope="module", params=["redis", "nats"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker with two users, one of which may nearly nothing."""
    folder = tmp_path_factory.mktemp("guarded")
    if request.param == "redis":
        may = ["+xadd", "+xread", "+xrevrange", "+xtrim"]
        users = [["default", "off"], ["wslink", "on", f">{PASSWORD}", "~wslink:*", *may]]
        users.append(["weak", "on", f">{PASSWORD}", "~wslink:*", "+xadd", "+ping"])
        more = [word for user in users for word in ("--user", *user)]
        server = Server("redis", folder, "--port", "PORT", *more)
    else:
        (folder / "users.conf").write_text(NATS_USERS.replace("PASSWORD", PASSWORD))
        server = Server("nats", folder, "--config", str(folder / "users.conf"), "--port", "PORT")
    yield server
    server.stop()


@pytest.fixture
def brokers() -> Iterator[list[Server]]:
    """Those that end after the workers."""
    started: list[Server] = []
    yield started
    for server in started:
        server.stop()


def url(server: Server, user: str, password: str = PASSWORD) -> str:
    return server.url.replace("://", f"://{user}:{password}@")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Workers wait for their broker for a moment alone, and no log has a password."""
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(nats_log, "TIMEOUT", 0.3)  # for what a server does not allow it does not answer
    caplog.set_level(logging.DEBUG)
    yield
    assert PASSWORD not in caplog.text


async def test_a_user_who_may_use_the_stream_alone_is_enough(guarded: Server, serve: Serve, peers: Open) -> None:
    apps = [App(secret="secret", broker=url(guarded, "wslink")) for _ in range(2)]
    topics = [app.topic("test.topic") for app in apps]
    peer = await peers(await serve(apps[0]), hello=HELLO)
    await peer.subscribe(1, "test.topic")
    await serve(apps[1])
    await until(lambda: len(apps[1].clients) == 1)
    topics[1].publish("far")
    assert (await peer.receive())["result"] == "far"


async def refused(serve: Serve, target: str, words: str) -> None:
    """A worker is not let in by a broker, and says why."""
    with pytest.raises(BrokerError, match=words) as error:
        await serve(App(secret="secret", broker=target))
    assert PASSWORD not in str(error.value)
    assert f":{urlsplit(target).port} cannot be reached: " in str(error.value)


async def test_what_a_broker_does_not_allow_is_named(guarded: Server, serve: Serve) -> None:
    wrong = "(?i)WRONGPASS|invalid username-password|Authorization Violation"
    await asyncio.gather(
        refused(serve, url(guarded, "wslink", "wrong"), wrong),
        refused(serve, url(guarded, "weak"), "(?i)no permissions|Permissions Violation"),
    )


async def test_a_broker_that_is_not_there_is_named_with_the_reason(serve: Serve) -> None:
    where = f"wslink:{PASSWORD}@127.0.0.1:{free_port()}"
    await asyncio.gather(*(refused(serve, f"{kind}://{where}", "(?i)connect") for kind in ("redis", "nats")))


@pytest.mark.parametrize(
    "form",
    [
        "redis://:{}/more@localhost:6379", "redis://:{}#more@localhost:6379", "redis://:{}?more@localhost:6379",
        "nats://wslink:{}/@localhost", "redis://wslink:{}@", "redis://localhost:{}", "redis://localhost/0#{}",
        "amqp://wslink:{}@localhost",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_read_is_refused_without_its_password(form: str) -> None:
    with pytest.raises(UsageError, match="broker: ") as refused:
        App(broker=form.format(PASSWORD))
    assert PASSWORD not in str(refused.value)


async def test_tls_with_a_certificate_of_ones_own(
    brokers: list[Server], serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = map(str, write_self_signed("localhost", tmp_path))
    files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"]
    brokers.append(Server("redis", tmp_path, "--port", "0", "--tls-port", "PORT", *files))
    brokers.append(Server("nats", tmp_path, "--port", "PORT", "--tls", "--tlscert", certificate, "--tlskey", key))
    targets = [
        f"{scheme}://localhost:{one.port}?name=test" for scheme, one in zip(("rediss", "tls"), brokers, strict=True)
    ]
    await asyncio.gather(*(refused(serve, target, "(?i)certificate") for target in targets))
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    monkeypatch.setattr(cluster, "PATIENCE", 10)
    await asyncio.gather(*(serve(App(secret="secret", broker=target)) for target in targets))


@pytest.mark.parametrize("count", ["0", "-1", "abc", "1.5", ""])
def test_a_number_of_workers_that_is_none_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["program:app", f"--workers={count}"])
    assert ended.value.code == 2
    assert f"{count} is not a number of processes, 1 or more" in capsys.readouterr().err
