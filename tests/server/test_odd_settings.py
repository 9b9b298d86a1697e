"""Settings that look right and would do nothing, or that libraries refuse in words of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wslink import App, UsageError
from wslink import settings as variables
from wslink.errors import ConfigurationError
from wslink.http.origin import is_asked_by, is_listed
from wslink.launcher import validation


@pytest.mark.parametrize(
    "name",
    ["http://example.org", "example.org:8080", "*.example.org", "a.org b.org", "a.org;b.org", "example.org/x", "a..b"],
)
async def test_a_name_that_nobody_asks_by_is_refused(app: App, name: str) -> None:
    with pytest.raises(UsageError, match="hosts: .* such as example.org"):
        await app.serve(port=0, hosts=f"good.example,{name}")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("example.org.", "example.org"),
        ("Example.ORG", "example.org:8080"),
        ("bücher.example", "xn--bcher-kva.example"),
        (".bücher.example", "a.xn--bcher-kva.example"),
        ("a_b.example", "a_b.example"),
        ("*", "anything.example"),
    ],
)
def test_a_name_is_known_as_browsers_write_it(name: str, host: str) -> None:
    assert is_asked_by({"Host": host}, variables.split_names(f" {name} ,::1,[::1]"))


@pytest.mark.parametrize(
    ("allowed", "page"),
    [
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://bücher.example:*", "https://xn--bcher-kva.example:8443"),
        ("HTTPS://Example.org:8443", "https://example.org:8443"),
    ],
)
def test_an_origin_is_known_as_browsers_write_it(allowed: str, page: str) -> None:
    origins = variables.split_origins(allowed)
    assert is_listed(page, origins)
    assert not is_listed(page.replace("http", "ftp"), origins)
    assert not is_listed(page.replace("https", "http") if "https" in page else "https://example.org", origins)
    assert not is_listed(f"{page}.evil.example", origins)


def test_a_launcher_refuses_origins_and_names_that_nobody_has(tmp_path: Path) -> None:
    settings = {"host": "localhost", "port": 0, "endpoint": "paraview", "proxy_file": "", "sessionURL": "ws://localhost/",
                "timeout": 5, "log_dir": str(tmp_path), "fields": []}  # fmt: skip
    wrong = {"origins": ["https://good.example", "evil.example"], "hosts": ["good.example", "good.example:80"]}
    rest: dict[str, Any] = {"resources": [], "properties": {}, "apps": {}}
    with pytest.raises(ConfigurationError) as refused:
        validation.convert({"configuration": {**settings, **wrong}, **rest})
    assert [problem.partition(": ")[0] for problem in refused.value.problems] == [
        "configuration.origins.1",
        "configuration.hosts.1",
    ]


@pytest.mark.parametrize(
    "header", [{"X": "a\nb"}, {"X": "a\r"}, {"X Y": "a"}, {"": "a"}, {"X": "a\0"}, {"X": "\ud800"}]
)
async def test_a_header_that_no_response_can_have_is_refused(app: App, tmp_path: Path, header: dict[str, str]) -> None:
    (tmp_path / "headers.json").write_text(json.dumps(header))
    with pytest.raises(UsageError, match="no response can have the header"):
        await app.serve(port=0, http_headers=tmp_path / "headers.json")


@pytest.mark.parametrize("host", ["a..b", "a\0b", "a" * 300])
async def test_a_host_that_is_no_name_cannot_be_listened_on(app: App, host: str) -> None:
    with pytest.raises(OSError, match="cannot listen on a"):
        await app.serve(port=0, host=host)


async def test_an_address_may_stand_in_brackets(app: App) -> None:
    async with await app.serve(port=0, host="[::1]", handle_signals=False, ready_msg="") as server:
        assert server.url.startswith(f"http://[::1]:{server.port}/")


@pytest.mark.parametrize("wrong", [{"ws": "{a"}, {"ws": "ws?x=1"}, {"fs_endpoints": "{a}=."}])
async def test_a_route_that_is_none_is_refused(app: App, wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="ws, fs_endpoints: "):
        await app.serve(port=0, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [" ", "\t"])
def test_a_flag_that_is_set_to_blanks_is_not_set(text: str) -> None:
    from wslink.server.options import Options

    options = Options.from_environment({"WSLINK_METRICS": text, "WSLINK_WS_COMPRESS": text, "WSLINK_THREADS": text})
    assert (options.metrics, options.ws_compress, options.threads) == (False, True, 0)


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_a_number_that_is_set_to_blanks_is_not_set(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from wslink.server.limits import limits

    assert limits({"WSLINK_MAX_CALLS": text, "WSLINK_HELLO_TIMEOUT": text}) == limits({})
    assert variables.read("WSLINK_X", bool, True, {"WSLINK_X": text}) is True
    assert variables.read("WSLINK_X", str, "given", {"WSLINK_X": text}) == (text or "given")


@pytest.mark.parametrize(
    ("name", "text"),
    [("THREADS", "-1"), ("THREADS", "99999"), ("STOP_TIMEOUT", "nan"), ("STOP_TIMEOUT", "-1"), ("LOOP", "uvlop")],
)
async def test_a_released_application_is_told_of_a_wrong_variable(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wslink.backends.aiohttp import create_webserver
    from wslink.websocket import ServerProtocol

    monkeypatch.setenv(f"WSLINK_{name}", text)
    monkeypatch.setenv("WSLINK_APPLICATION_THREAD", "1")
    with pytest.raises(UsageError, match=f"WSLINK_{name} must be"):
        await create_webserver({"port": 0, "ws": {"ws": ServerProtocol()}, "handle_signals": False}).start()


@pytest.mark.parametrize("text", ["0", "\ufeff0", "0\r\n", " no ", "FALSE"])
def test_a_flag_is_turned_off(text: str) -> None:
    assert variables.parse("WSLINK_METRICS", text, bool) is False


@pytest.mark.parametrize("target", ["", ":app", ".viewer:app", "a..b", "viewer.py", "viewer.py:link"])
def test_an_application_is_named_by_its_module(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wslink.server.cli import load

    (tmp_path / "viewer.py").write_text("raise AssertionError('imported')")
    monkeypatch.chdir(tmp_path)
    said = "viewer:(link|app)" if target.startswith("viewer") else "the name of a module is needed"
    with pytest.raises(UsageError, match=said):
        load(target)


async def test_a_server_that_dials_says_what_has_no_effect(app: App, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OSError, match="127.0.0.1"):
        await app.serve(reverse_url="ws://127.0.0.1:1/x", content="www", port=1, heart_beat=5)
    assert "no effect has port, content" in caplog.text
    caplog.clear()
    with pytest.raises(OSError, match="127.0.0.1"):
        await app.serve(reverse_url="ws://127.0.0.1:1/x", heart_beat=5)
    assert "no effect" not in caplog.text


async def test_a_secret_is_text(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of the environment that are no UTF-8 are no secret that a client could send."""
    monkeypatch.setenv("WSLINK_SECRET", "a\udcff")
    with pytest.raises(UsageError, match="secret must be text"):
        await app.serve(port=0)
    with pytest.raises(TypeError, match="secret must be text"):
        App(secret="\ud800")


@pytest.mark.parametrize("text", ["none", "enabled", "1,0", "yes please"])
def test_a_flag_is_a_number_or_a_word_for_one(text: str) -> None:
    with pytest.raises(UsageError, match="WSLINK_METRICS is .*: 1 or 0 is needed"):
        variables.parse("WSLINK_METRICS", text, bool)


async def test_a_relay_whose_name_is_none(app: App) -> None:
    with pytest.raises(OSError, match="reverse_url: "):
        await app.serve(reverse_url="ws://a..b/x", port=0)


@pytest.mark.parametrize("host", ["", "[::1]", "bücher.example", "127.0.0.1"])
def test_a_certificate_is_made_for_whatever_is_listened_on(host: str) -> None:
    from wslink.http.tls import ssl_context

    assert ssl_context("adhoc", host) is not None
    with pytest.raises(UsageError, match="ssl: "):
        ssl_context("a\0b,c", host)


@pytest.mark.parametrize("content", ["a\0b", "a" * 5000, "\ud800"])
async def test_a_directory_that_cannot_be(app: App, content: str) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        await app.serve(port=0, content=content)


async def test_an_empty_name_is_not_the_working_directory(app: App) -> None:
    """As a variable that is not set leaves one: `--fs-endpoints data=$DATA`."""
    with pytest.raises(UsageError, match="static files: '' is not a directory"):
        await app.serve(port=0, fs_endpoints="data=")
