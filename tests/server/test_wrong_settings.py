"""Settings that cannot be followed are named in one sentence, wherever they come from."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open, Serve
from wslink import App, UsageError
from wslink import settings as variables
from wslink.server.options import AsgiSettings, Options, Settings

BOM = "\ufeff"


def test_keywords_are_declared_as_the_options_are() -> None:
    hints = typing.get_type_hints(Settings)
    assert set(hints) == {option.name for option in dataclasses.fields(Options)}
    for option in dataclasses.fields(Options):
        kinds = typing.get_args(hints[option.name]) or (hints[option.name],)
        assert kinds[0] is type(option.default), option.name


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": "8080"}, "port must be an integer, not '8080'"),
        ({"port": 8080.0}, "port must be an integer, not 8080.0"),
        ({"port": True}, "port must be an integer, not True"),
        ({"port": -1}, "port must be from 0 to 65535, not -1"),
        ({"port": 99999}, "port must be from 0 to 65535, not 99999"),
        ({"secret": 5}, "secret must be a string, not 5"),
        ({"secret": b"bytes"}, "secret must be a string"),
        ({"secret": ""}, "secret must not be empty"),
        ({"timeout": "5"}, "timeout must be a number, not '5'"),
        ({"timeout": float("nan")}, "timeout must be 0 or more, not nan"),
        ({"host": None}, "host must be a string, not None"),
        ({"debug": 1}, "debug must be True or False, not 1"),
        ({"threads": -1}, "threads must be from 0"),
        ({"ws": Path("ws"), "origins": ["https://a"]}, "origins must be a string"),
        ({"prot": 1}, "unknown setting 'prot'"),
    ],
)
async def test_a_wrong_keyword_is_named(app: App, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await app.serve(**settings)


@pytest.mark.parametrize(
    "origin",
    [
        "example.com",
        "*.example.com",
        "https://*.example.com",
        "http://example.com/x",
        "http://user@example.com",
        "ws://example.com",
        "http://",
        "null",
        "http://a:b",
        "http://a:99999",
        "https://a?b",
    ],
)
async def test_what_matches_no_origin_is_refused(app: App, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for origins in (origin, f"https://good.example,{origin}"):
        with pytest.raises(UsageError, match="such as https://example.org"):
            await app.serve(port=0, origins=origins)
        with pytest.raises(UsageError, match="such as https://example.org"):
            app.asgi(origins=origins)
        monkeypatch.setenv("WSLINK_ORIGINS", origins)
        with pytest.raises(UsageError, match="such as https://example.org"):
            await app.serve(port=0)
        monkeypatch.delenv("WSLINK_ORIGINS")


@pytest.mark.parametrize(
    "origin", ["*", "https://example.org", "http://localhost:*", "http://[::1]:8080", "https://a.b/"]
)
def test_origins_are_taken(origin: str) -> None:
    assert variables.split_origins(f" {origin} , https://other.example") == (origin, "https://other.example")


@pytest.mark.parametrize(
    "setting",
    ["content", "ssl", "timeout", "port", "host", "fs_endpoints", "reverse_url", "heart_beat", "ws_compress", "engine",
     "loop", "ready_msg", "handle_signals", "http_headers", "follow_symlinks", "ws_endpoint", "stop_timeout"],
)  # fmt: skip
def test_an_asgi_application_takes_no_setting_that_it_ignores(app: App, setting: str) -> None:
    default = getattr(Options(), setting)
    with pytest.raises(UsageError, match=f"asgi.. has no setting '{setting}'.* settings: debug, latest, origins"):
        app.asgi(**{setting: default})  # type: ignore[arg-type]
    assert setting not in AsgiSettings.__annotations__


async def test_what_editors_leave_around_a_secret_is_no_part_of_it(
    serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_SECRET", f"{BOM}given\r\n")
    app = App()
    assert "result" in await (await peers(await serve(app))).hello("given")


def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    from wslink.http.tokens import read_token

    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf0123456789abcdef\r\n")
    assert read_token("token", str(tmp_path / "token")) == "0123456789abcdef"
    (tmp_path / "headers").write_bytes(b'\xef\xbb\xbf{"X-A": "b"}')
    assert variables.read_headers(str(tmp_path / "headers")) == {"X-A": "b"}


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
        ("::1", "[::1]"),
        ("0.0.0.0", "localhost"),
        ("", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
    ],
)
async def test_the_address_that_is_printed_can_be_opened(app: App, host: str, shown: str) -> None:
    async with await app.serve(host=host, port=0, handle_signals=False, ready_msg="") as server:
        assert server.url == f"http://{shown}:{server.port}/?secret=secret"
        url = f"ws://{shown}:{server.port}/ws"
        async with wslink.connect(url, secret="secret") as link:
            assert link.client_id in app.clients


RUN = "from wslink import App; App().run("


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["-c", f"{RUN}prot=1)"], {}, "unknown setting 'prot'"),
        (["-c", f"{RUN})"], {"WSLINK_HEART_BEAT": "abc"}, "WSLINK_HEART_BEAT is 'abc': a number is needed"),
        (["-c", f"{RUN}loop='trio')"], {}, "'trio'"),
        (["-m", "wslink", "serve", "viewer:app", "-p", "99999"], {}, "port must be from 0 to 65535, not 99999"),
        (["-m", "wslink", "serve", "viewer:app", "-p", "x"], {}, "invalid int value: 'x'"),
        (["-m", "wslink", "serve", "viewer:app", "-a", ""], {}, "secret must not be empty"),
        (["-m", "wslink", "serve", "viewer:app", "--origins", "a.b"], {}, "'a.b' is not an origin"),
        (["-m", "wslink", "serve", "viewer:app", "--ssl", "no.pem,key.pem"], {}, "no.pem: No such file"),
        (["-m", "wslink", "serve", "viewer:app", "--ssl", "viewer.py,key.pem"], {}, "key.pem: No such file"),
        (["-m", "wslink", "serve", "viewer:app", "--ssl", "viewer.py,viewer.py"], {}, "viewer.py,viewer.py: "),
        (["-m", "wslink", "relay", "-p", "99999"], {}, "port must be from 0 to 65535"),
        (["-m", "wslink", "relay", "--origin", "a.b"], {}, "'a.b' is not an origin"),
        (["-m", "wslink.server", "--ssl", "no.pem,key.pem"], {}, "No such file or directory: 'no.pem'"),
    ],
)
def test_a_wrong_start_says_so_in_one_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    import os

    (tmp_path / "viewer.py").write_text("from wslink import App\napp = App()\n")
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "never awaited" not in done.stderr
    if "-m" in arguments and "wslink.server" not in arguments:
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1 or "usage:" in done.stderr
