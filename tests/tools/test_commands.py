"""`wslink call` and `wslink watch`, against a server that runs."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.conftest import Serve
from wslink import App, MethodError, UsageError
from wslink.cli import main
from wslink.contract.describe import main as describe
from wslink.contract.typegen import main as typegen
from wslink.tools import filters
from wslink.tools.call import parse
from wslink.tools.show import as_json, as_line, line
from wslink.tools.watch import main as watch

ROOT = Path(__file__).parents[2]


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wslink",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 25)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def app() -> App:
    app = App(secret="secret")

    @app.method("terrain.light")
    def light(azimuth: float, altitude: float = 30, name: str = "") -> dict[str, Any]:
        if altitude < 0:
            raise MethodError("below the horizon", {"most": [0]}, 7)
        return {
            "azimuth": azimuth,
            "altitude": altitude,
            "name": name,
            "rows": numpy.arange(6, dtype="f4").reshape(2, 3),
        }

    return app


async def test_call_prints_the_result(app: App, serve: Serve) -> None:
    url = await serve(app)
    code, out, err = await run("call", url, "terrain.light", "315", "altitude=30", "name=rock", "--secret", "secret")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said == {"azimuth": 315, "altitude": 30, "name": "rock", "rows": "<<f4 [2, 3] 24 B, 0 to 5, mean 2.5>"}


@pytest.mark.parametrize("show", [as_json, as_line])
def test_what_is_printed_is_json_whatever_the_numbers_are(show: Callable[[Any], str]) -> None:
    value = {"a": [float("nan"), float("inf"), float("-inf"), 1.5], "b": numpy.array([float("nan")])}

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    read = json.loads(show(value), parse_constant=refuse)
    assert read["a"] == ["NaN", "Infinity", "-Infinity", 1.5]


async def test_call_prints_items_of_a_stream(app: App, serve: Serve) -> None:
    @app.method("rows.count")
    async def count(most: int) -> AsyncIterator[dict[str, int]]:
        for row in range(most):
            yield {"row": row}

    url = f"{await serve(app)}?secret=secret"
    code, _, err = await run("call", url, "rows.count", "3")
    assert (code, "call it with --stream" in err) == (1, True)
    code, out, err = await run("call", url, "--stream", "rows.count", "3")
    assert (code, err, out.splitlines()) == (0, "", ['{"row": 0}', '{"row": 1}', '{"row": 2}'])


async def test_call_says_what_went_wrong(app: App, serve: Serve) -> None:
    url = await serve(app)
    page = f"{url.replace('ws://', 'http://').removesuffix('ws')}?secret=secret"
    code, _, err = await run("call", page, "terrain.light", "315", "altitude=-1")
    assert code == 1
    assert "below the horizon (7)" in err
    assert '"most"' in err
    code, _, err = await run("call", page, "terrain.lights")
    assert code == 1
    assert "did you mean terrain.light?" in err
    code, _, err = await run("call", url, "terrain.light", "315", "--secret", "wrong")
    assert code == 1
    assert "refused the secret" in err
    code, _, err = await run("call", "localhost:8080", "terrain.light")
    assert code == 1
    assert "is not the URL of a server" in err


@pytest.mark.parametrize(
    "words",
    [
        "call URL terrain.light 1",
        "call URL terrain.light 1 --secret wrong",
        "watch URL a.b",
        "record URL -o FILE",
        "record URL --ring -o FILE",
        "doctor URL",
        "describe URL",
        "typegen URL -o FILE",
    ],
)
async def test_a_secret_that_is_random_is_refused_with_the_cure(
    words: str, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WSLINK_SECRET", raising=False)
    url = await serve(App())
    arguments = words.replace("URL", url).replace("FILE", str(tmp_path / "file")).split()
    assert await asyncio.to_thread(main, arguments) == 1
    gc.collect()  # the WebSocket that the server dropped: it is to be found here, not in the midst of pytest's end
    said = "".join(capsys.readouterr())
    assert "connect(" not in said
    assert "secret" in said
    for cure in ("cure:", "WSLINK_SECRET=...", "--secret", "?secret=...", '"serving on ..."'):
        assert cure in said


async def test_the_cure_cures(
    app: App, serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await serve(app)
    monkeypatch.setenv("WSLINK_SECRET", "secret")
    for command in ("call URL terrain.light 1", "describe URL", "typegen URL"):
        assert await asyncio.to_thread(main, command.replace("URL", url).split()) == 0
    assert capsys.readouterr().err == ""


def test_arguments_are_json_or_text() -> None:
    assert parse(["315", "[1, 2]", "rock", '"3"', "a=null", "b=x=y"]) == (
        [315, [1, 2], "rock", "3"],
        {"a": None, "b": "x=y"},
    )
    with pytest.raises(UsageError, match="has no name"):
        parse(["a=1", "2"])
    with pytest.raises(UsageError, match="given twice"):
        parse(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("text", "definition"),
    [
        ("row>=3", {"row": {"gte": 3}}),
        ("row>=3,row<6", {"row": {"gte": 3, "lt": 6}}),
        ("kind=rock|sand, deep=true", {"kind": ["rock", "sand"], "deep": True}),
        ("name^=tile , row != 3", {"name": {"prefix": "tile"}, "row": {"ne": 3}}),
        ('sign=">"', {"sign": ">"}),
        ('{"or": [{"row": 3}]}', {"or": [{"row": 3}]}),
    ],
)
def test_filters_are_short(text: str, definition: Any) -> None:
    assert filters.parse(text) == definition


@pytest.mark.parametrize("text", ["row", "row>=3,row=4", "row>3,row>4", "{", "row=>", "row>>", "row>=", "row===3"])
def test_what_is_no_filter_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="filter"):
        filters.parse(text)


async def test_watch_shows_what_is_published(app: App, serve: Serve) -> None:
    topic = app.topic("terrain.tile")
    url = f"{await serve(app)}?secret=secret"

    async def publish() -> None:
        while True:
            for row in range(6):
                topic.publish({"row": row, "heights": numpy.full((4, 4), row, "f4")}, {"row": row})
            await asyncio.sleep(0.02)

    publishing = asyncio.create_task(publish())
    try:
        code, out, err = await run("watch", url, "terrain.tile", "--filter", "row>=3", "--count", "6")
        assert (code, err) == (0, "")
        lines = [one for one in out.splitlines() if not one.startswith("--")]
        assert len(lines) == 6
        assert "row: 3, heights: <<f4 [4, 4] 64 B, 3 to 3, mean 3>" in lines[0]
        assert "row: 2" not in out
        assert out.splitlines()[-1].startswith("-- 6 in ")
        assert "/s" in out.splitlines()[-1]
        code, out, err = await run("watch", url, "terrain.tile", "--seconds", "0.5", "--every", "0.2", "--quiet")
        assert (code, err) == (0, "")
        assert all(one.startswith("-- ") for one in out.splitlines())
        assert len(out.splitlines()) >= 2
        code, out, err = await run("watch", url, "terrain.tile", "--count", "2", "--json")
        assert [json.loads(one)["row"] for one in out.splitlines()]
    finally:
        publishing.cancel()
    code, _, err = await run("watch", url, "terrain.tiles", "--count", "1")
    assert code == 1
    assert "there is no topic" in err


@pytest.mark.parametrize("option", [("--count", "-1"), ("--seconds", "nan"), ("--every", "-2"), ("--count", "many")])
def test_a_number_that_makes_no_sense_is_refused(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        watch(["ws://localhost:1/ws", "terrain.tile", *option])
    assert f"argument {option[0]}: " in capsys.readouterr().err


@pytest.mark.parametrize("command", [describe, typegen])
def test_a_file_that_cannot_be_written_is_named(
    command: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = tmp_path / "contract.json"
    contract.write_text(json.dumps(App().describe()))
    assert command([str(contract), "-o", str(tmp_path / "no" / "file")]) == 1
    assert capsys.readouterr().err == f"wslink: {tmp_path / 'no' / 'file'}: No such file or directory\n"


def test_values_stand_in_a_line() -> None:
    assert (
        line({"a": b"x" * 2000, "b": [1] * 9, "c": None})
        == "{a: <2 kB of bytes>, b: [1, 1, 1, 1, 1, 1, 1, 1, ... 9 in all], c: null}"
    )
    assert line(numpy.zeros((0, 3))) == "<<f8 [0, 3] 0 B>"
    assert line("x" * 300).endswith("... 302 characters")


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "terrain.light", "9" * 30),
        ("call", "terrain.light", "0", r'name="\ud800"'),
        ("watch", "demo.tile", "--filter", f"row={'9' * 30}"),
    ],
)
async def test_what_cannot_be_sent_is_said_in_a_line(
    app: App, serve: Serve, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    app.topic("demo.tile")
    command, *rest = arguments
    url = f"{await serve(app)}?secret=secret"
    assert await asyncio.to_thread(main, [command, url, *rest]) == 1
    said = capsys.readouterr().err
    assert said.startswith("wslink: ")
    assert len(said.splitlines()) == 1
