"""Commands in the hands of those who mistype, whose output goes nowhere, and whose server means no good: each says in
words what is wrong, with an exit code of docs/tools.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from wslink import App, MethodError
from wslink.cli import main
from wslink.contract import describe, source
from wslink.tools.show import MAX_LINE, line

NOWHERE = "ws://127.0.0.1:1/ws"
ESCAPES = "\x1b[2J\x07\x9b31m\r\u202e"
"""What clears a terminal, rings its bell, and turns text around."""


@pytest.fixture
def app() -> App:
    app = App(secret="secret")
    ticks = app.topic("demo.tick")

    @app.method("demo.echo")
    def echo(value: Any) -> Any:
        return value

    @app.method("demo.deep")
    def deep(levels: int) -> Any:
        value: Any = 1
        for level in range(levels):
            value = [value] if level % 2 else {"a": value}
        return value

    @app.method("demo.fail")
    def fail() -> None:
        raise MethodError(f"no {ESCAPES}", {ESCAPES: ESCAPES})

    @app.method("demo.count")
    async def count() -> AsyncIterator[int]:
        for number in range(400):
            yield number
            await asyncio.sleep(0.005)

    @ticks.on_subscribe
    async def tick(subscription: Any) -> None:
        while subscription.active:
            ticks.publish({ESCAPES: [ESCAPES, deep(500)]})
            await asyncio.sleep(0.05)

    return app


@pytest.fixture
async def url(app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WSLINK_SECRET", "secret")
    return await serve(app)


async def run(*words: str) -> int:
    return await asyncio.wait_for(asyncio.to_thread(main, list(words)), 20)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("call", "--timeout=nan"),
        ("call", "--timeout=0"),
        ("call", "--timeout=soon"),
        ("watch", "--reconnect=-1"),
        ("watch", "--reconnect=inf"),
        ("watch", "--max-rate=0"),
        ("watch", f"--count={'9' * 5000}"),
        ("record", "--count=-1"),
        ("record", "--count=x"),
        ("record", "--seconds=nan"),
        ("record", "--max-bytes=-1"),
        ("doctor", "--idle=-1"),
        ("replay", "--speed=fast"),
    ],
)
def test_a_number_that_is_none_is_refused_in_words(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, NOWHERE, "demo.tick", option, "-o", "file"])
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert f"argument {option.partition('=')[0]}: " in said
    assert "invalid" not in said  # and then the name of a function


@pytest.mark.parametrize(
    "command", ["call URL a.b", "watch URL a.b", "record URL -o FILE", "doctor URL", "describe URL"]
)
@pytest.mark.parametrize("url", ["", "http://", "localhost:8080", "ftp://host/", "ws://host:99999/", "ws://[::1/"])
def test_a_url_that_is_none_is_said_to_be(
    command: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("URL", url).replace("FILE", str(tmp_path / "file")) for word in command.split()]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("wslink: ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("header", ["A", ":b", "A b:c", "A:b\r\nC:d", "Ä:b"])
@pytest.mark.parametrize("command", ["call", "doctor"])
def test_a_header_that_is_none_is_said_to_be(command: str, header: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, NOWHERE, *(["a.b"] if command == "call" else []), "--header", header]) == 1
    assert "is not of the form NAME:VALUE" in capsys.readouterr().err


# Output -----------------------------------------------------------------------------


@contextlib.contextmanager
def unread() -> Iterator[None]:
    """Standard output is a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream, contextlib.redirect_stdout(stream):
        yield


@contextlib.contextmanager
def full() -> Iterator[None]:
    """Standard output goes to a disk that is full."""
    with open("/dev/full", "w") as stream, contextlib.redirect_stdout(stream):
        yield


PRINTING = [
    "call URL demo.echo 1",
    "call URL --stream demo.count",
    "watch URL demo.tick --seconds 3",
    "watch URL demo.tick --seconds 3 --json",
    "watch URL demo.tick --seconds 3 --quiet --every 0.1",
    "doctor URL",
    "describe URL",
    "typegen URL",
]


@pytest.mark.parametrize("command", PRINTING)
async def test_a_command_ends_when_nobody_reads_it(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with unread():
        assert await run(*command.replace("URL", url).split()) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("command", PRINTING)
async def test_a_full_disk_is_an_error(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with full():
        assert await run(*command.replace("URL", url).split()) == 1
    assert capsys.readouterr().err == "wslink: standard output: No space left on device\n"


def test_help_that_nobody_reads_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "wslink", "--help"], stdout=writing, stderr=subprocess.PIPE, timeout=20
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["call URL demo.echo café", "describe URL", "typegen URL"])
async def test_what_programs_read_is_utf_8_whatever_the_locale(
    command: str, url: str, app: App, tmp_path: Path
) -> None:
    @app.method("demo.coffee")
    def coffee() -> None:
        """Makes a café."""

    path = tmp_path / "out"
    with open(path, "w", encoding="ascii") as stream, contextlib.redirect_stdout(stream):
        assert await run(*command.replace("URL", url).split()) == 0
    assert "café" in path.read_text("utf-8")


def test_control_c_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(describe, "read", interrupted)
    assert main(["describe", "a:b"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ring", [(), ("--ring",)])
@pytest.mark.parametrize("path", ["", "/", ".", "no/file"])
async def test_a_recording_that_has_no_place_is_refused_at_once(
    path: str,
    ring: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["record", NOWHERE, *ring, "-o", path]) == 1
    said = capsys.readouterr().err
    assert "directory" in said
    assert "refused" not in said  # it has not been at the server
    assert not list(tmp_path.iterdir())


async def test_a_recording_into_a_device_leaves_its_rights(url: str) -> None:
    ours, theirs = os.openpty()
    try:
        device = os.ttyname(theirs)
        os.chmod(device, 0o622)
        assert await run("record", url, "--topic", "demo.tick", "--max-bytes", "300", "-o", device) == 0
        assert os.stat(device).st_mode & 0o777 == 0o622
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_device_is_no_recording(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "/dev/zero"]) == 1
    assert "/dev/zero is a device" in capsys.readouterr().err


# Servers and files that mean no good ----------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("call URL demo.fail", 1),
        ("call URL demo.deep 505", 0),
        ("watch URL demo.tick --count 1", 0),
        ("watch URL demo.tick --count 1 --json", 0),
    ],
)
async def test_what_a_server_sends_steers_no_terminal_and_may_nest(
    command: str, code: int, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert await run(*command.replace("URL", url).split()) == code
    said = "".join(capsys.readouterr())
    assert said
    assert not set(said) & (set(ESCAPES) - set("[2J31m"))


def test_a_line_is_short_whatever_it_shows() -> None:
    wide: Any = "x"
    for _ in range(20):
        wide = {f"{number}" * 100: wide for number in range(8)}
    assert len(line(wide)) < MAX_LINE + 50
    assert line({"a b": 1, "\x1b": 2}) == r'{a b: 1, "\u001b": 2}'


async def test_a_doctor_does_not_pass_on_what_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 307 x\r\nServer: {ESCAPES[:-1]}\r\nDate: Fri, 31 Dec 9999 23:59:59 -2359\r\n"
        writer.write(f"{head}Location: https://[\r\n\r\n".encode("latin-1"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await run("doctor", f"ws://127.0.0.1:{port}/{'a/' * 500}ws") == 1
    said = capsys.readouterr().out
    assert "FAIL upgrade" in said
    assert not set(said) & {"\x1b", "\x9b", "\x07", "\r"}


@pytest.mark.parametrize("command", ["describe", "typegen"])
async def test_a_description_is_not_waited_for_for_ever(
    command: str, silent: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "TIMEOUT", 0.2)
    assert await run(command, silent) == 1
    assert "no response to wslink.describe within 0.2 s" in capsys.readouterr().err


def broken(change: Callable[[dict[str, Any]], Any]) -> str:
    """A description that was changed by hand."""
    app = App()
    app.topic("demo.tick")

    @app.method("demo.add")
    def add(a: float, b: float = 1) -> float:
        return a + b

    document = json.loads(json.dumps(app.describe()))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        '{"wslink": 1, "methods": ' + "[" * 100_000 + "]" * 100_000 + "}",
        broken(lambda document: document["methods"].update({"demo.add": 5})),
        broken(lambda document: document["methods"]["demo.add"].clear()),
        broken(lambda document: document["methods"]["demo.add"].update(params=7)),
        broken(lambda document: document.update(topics=[1])),
        broken(lambda document: document["methods"].update({"demo.add": {"result": {"$ref": "#/$defs/None"}}})),
    ],
    ids=["deep", "number", "empty", "params", "topics", "reference"],
)
@pytest.mark.parametrize("language", [(), ("--python",)])
def test_a_description_that_only_looks_like_one_is_refused_in_a_line(
    text: str, language: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "contract.json"
    path.write_text(text)
    assert main(["typegen", str(path), *language]) == 1
    said = capsys.readouterr().err
    assert said.startswith("wslink: ")
    assert len(said.splitlines()) == 1
