"""What a server offers, as one JSON document: from the command line, from Python, and over the link."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import wslink
from tests.conftest import Open, Serve
from tests.contract import offer
from wslink import App, Call, CallError, MethodError, UsageError
from wslink.cli import main

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wslink", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)


def test_the_document_says_what_is_offered() -> None:
    document = offer.app.describe()
    light = document["methods"]["terrain.light"]
    assert light["description"].startswith("Move the sun.")
    assert light["params"] == {
        "type": "object",
        "properties": {
            "azimuth": {"type": "number"},
            "altitude": {"type": "number", "default": 30},
            "color": {"$ref": "#/$defs/Color", "default": "red"},
        },
        "additionalProperties": False,
        "required": ["azimuth"],
    }
    assert light["positional"] == ["azimuth", "altitude"]
    assert light["result"] == {"$ref": "#/$defs/Light"}
    assert light["errors"] == [
        {
            "name": "TooSteep",
            "code": 7,
            "description": "The sun would be below the horizon.",
            "data": {"$ref": "#/$defs/Limit"},
        }
    ]
    assert document["topics"]["terrain.tile"] == {
        "description": "New tiles.",
        "payload": {"$ref": "#/$defs/Tile"},
        "tags": {"$ref": "#/$defs/TileTags"},
        "delivery": "latest",
        "retained": True,
    }
    assert document["topics"]["log"] == {"delivery": "reliable", "retained": False}
    assert document["$defs"]["Tile"]["properties"]["heights"] == {
        "x-wslink": "ndarray",
        "dtype": ["<f4"],
        "shape": ["n", "n"],
    }
    assert document["handlers"]["view.confirm"]["result"] == {"type": "boolean"}
    assert not any(name.startswith("wslink.") for name in document["methods"])


def test_inputs_and_outputs_are_apart_where_they_differ() -> None:
    """A default makes an input optional, never an output."""
    definitions = offer.app.describe()["$defs"]
    assert definitions["LightInput"]["required"] == ["azimuth"]
    assert definitions["Light"]["required"] == ["azimuth", "altitude", "color", "names"]
    assert definitions["LightInput"]["properties"]["color"] == {"$ref": "#/$defs/Color", "default": "red"}
    assert definitions["Tile"]["required"] == ["row", "heights"]
    assert "TileInput" not in definitions
    assert "ColorInput" not in definitions


def test_its_schemas_are_json_schema_2020_12() -> None:
    document = json.loads(json.dumps(offer.app.describe()))
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for name, method in document["methods"].items():
        for schema in (method["params"], method.get("result", {}), method.get("stream", {})):
            jsonschema.Draft202012Validator.check_schema({**schema, "$defs": document["$defs"]})
            assert "$ref" not in schema or schema["$ref"].rpartition("/")[2] in document["$defs"], name
    validator = jsonschema.Draft202012Validator(
        {**document["methods"]["terrain.relight"]["params"], "$defs": document["$defs"]}
    )
    assert validator.is_valid({"light": {"azimuth": 3}})
    assert validator.is_valid({"light": {"azimuth": 3, "color": "blue"}, "light2": None})
    assert not validator.is_valid({"light": {"azimuth": "x"}})
    assert not validator.is_valid({"light": {"azimuth": 3, "color": "green"}})
    assert not validator.is_valid({"light": {"azimuth": 3}, "lamp": 4})
    assert not validator.is_valid({})


def test_the_command_prints_the_same_every_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = run("describe", "tests.contract.offer:app"), run("describe", "tests.contract.offer:app")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert json.loads(first.stdout) == json.loads(json.dumps(offer.app.describe()))
    file = tmp_path / "api.json"
    assert main(["describe", "tests.contract.offer:app", "-o", str(file)]) == 0
    assert file.read_text() == first.stdout
    assert main(["describe", str(file)]) == 0
    assert capsys.readouterr().out == first.stdout


async def test_a_url_gives_the_same(serve: Serve) -> None:
    import asyncio

    url = await serve(offer.app)
    page = url.replace("ws://", "http://").removesuffix("ws")
    for arguments in ([url, "--secret", "secret"], [f"{page}?secret=secret"], [f"{page}index.html?secret=secret"]):
        done = await asyncio.to_thread(run, "describe", *arguments)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == json.loads(json.dumps(offer.app.describe()))
    wrong = await asyncio.to_thread(run, "describe", url, "--secret", "wrong")
    assert wrong.returncode == 1
    assert "refused the secret" in wrong.stderr


@pytest.mark.parametrize("generation", [1, 2])
async def test_it_is_given_after_hello_only(app: App, serve: Serve, peers: Open, generation: int) -> None:
    """DESC-1"""
    peer = await peers(await serve(app), generation)
    answer = await peer.call("wslink.describe")
    assert answer["error"]["code"] == -32000
    await peer.hello(secret="secret")
    answer = await peer.call("wslink.describe")
    assert "application.exit" in answer["result"]["methods"]


async def test_it_can_be_switched_off(serve: Serve) -> None:
    """DESC-1"""
    quiet = App(secret="secret", describe=False)
    async with wslink.connect(await serve(quiet), secret="secret") as link:
        with pytest.raises(CallError) as error:
            await link.call("wslink.describe")
        assert error.value.code == -32601


async def test_it_follows_what_is_declared_later(app: App, serve: Serve) -> None:
    async with wslink.connect(await serve(app), secret="secret") as link:
        assert "late.one" not in (await link.call("wslink.describe"))["methods"]
        app.method("late.one")(lambda: None)
        assert "late.one" in (await link.call("wslink.describe"))["methods"]
        app.topic("late")
        assert (await link.call("wslink.describe"))["topics"] == {"late": {"delivery": "reliable", "retained": False}}
        app.topic("late", payload=int)
        assert (await link.call("wslink.describe"))["topics"]["late"]["payload"] == {"type": "integer"}


class Handle:
    """Something that no client has."""


def test_what_cannot_be_described_is_said_by_name(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.method("a.handle")
    def handle(handle: Handle, other: Handle | None = None) -> Handle:
        return handle

    said = caplog.text
    assert "method a.handle cannot be described: parameter 'handle': Handle has no form that can be sent" in said
    assert "method a.handle cannot be described: its result: Handle has no form" in said
    assert "'other'" not in said  # it has a default, and nobody has to send it
    described = app.describe()["methods"]["a.handle"]
    assert "Handle" in described["result"]["$comment"]
    assert list(described["params"]["properties"]) == ["handle"]

    @app.method("a.lost")
    def lost() -> Missing: ...  # type: ignore[name-defined]  # noqa: F821

    assert "method a.lost cannot be described: the hint of its result cannot be resolved" in caplog.text


def test_what_a_topic_cannot_carry_is_refused_by_name(app: App) -> None:
    with pytest.raises(UsageError, match="topic 'a.b': its payload: .*Handle"):
        app.topic("a.b", payload=Handle)
    with pytest.raises(UsageError, match="topic 'a.b': tag 'parts': a tag is text, a number or a boolean"):
        app.topic("a.b", tags=wslink_tags())
    with pytest.raises(UsageError, match="topic 'a.b': its tags: .* is not a TypedDict or dataclass"):
        app.topic("a.b", tags=dict[str, int])
    app.topic("a.c", payload=int)
    assert app.topic("a.c").name == "a.c"
    with pytest.raises(UsageError, match="another payload"):
        app.topic("a.c", payload=str)


def wslink_tags() -> Any:
    import dataclasses

    return dataclasses.make_dataclass("Tags", [("row", int), ("parts", list[int])])


def test_declared_errors_are_checked(app: App) -> None:
    class First(MethodError):
        code = 3

    class Second(MethodError):
        code = 3

    with pytest.raises(UsageError, match="each has a code and a name of its own"):
        app.method("a.b", errors=[First, Second])(lambda: None)
    with pytest.raises(UsageError, match="not a subclass of MethodError"):
        app.method("a.b", errors=[ValueError])(lambda: None)  # type: ignore[list-item]


async def test_an_error_has_the_code_of_its_class(serve: Serve) -> None:
    async with wslink.connect(await serve(offer.app), secret="secret") as link:
        with pytest.raises(CallError) as error:
            await link.call("terrain.light", 1, -3)
        assert (error.value.code, error.value.data) == (7, {"most": 0})


@pytest.mark.parametrize(
    "target", ["nowhere.at_all:app", "tests.contract.offer:tile", "ftp://a/", "missing.json", "README.md"]
)
def test_what_describes_nothing_is_a_sentence(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", target]) == 1
    assert capsys.readouterr().err.startswith("wslink: ")


def test_a_method_that_takes_a_call_does_not_show_it(app: App) -> None:
    @app.method("a.b")
    def method(call: Call, x: int) -> None: ...

    assert list(app.describe()["methods"]["a.b"]["params"]["properties"]) == ["x"]
