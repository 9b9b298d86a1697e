"""`wslink typegen --check`: it fails where the client is stale, and names each change that breaks its users."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract import offer
from wslink.cli import main
from wslink.contract.breaking import breaking_changes

Change = Callable[[dict[str, Any]], Any]
OLD: dict[str, Any] = json.loads(json.dumps(offer.app.describe()))


def properties(d: dict[str, Any], method: str) -> dict[str, Any]:
    found: dict[str, Any] = d["methods"][method]["params"]["properties"]
    return found


def fields(d: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = d["$defs"][name]["properties"]
    return found


BREAKING: dict[str, tuple[Change, str]] = {
    "a method is removed": (lambda d: d["methods"].pop("terrain.light"), "method terrain.light is gone"),
    "a topic is removed": (lambda d: d["topics"].pop("log"), "topic log is gone"),
    "an argument is removed": (
        lambda d: properties(d, "terrain.light").pop("altitude"),
        "method terrain.light: argument altitude is gone",
    ),
    "an argument becomes required": (
        lambda d: d["methods"]["terrain.light"]["params"]["required"].append("altitude"),
        "method terrain.light: argument altitude is required",
    ),
    "a required argument is added": (
        lambda d: (
            properties(d, "terrain.light").update(haze={"type": "number"}),
            d["methods"]["terrain.light"]["params"]["required"].append("haze"),
        ),
        "method terrain.light: argument haze is new and required",
    ),
    "an argument changes its type": (
        lambda d: properties(d, "terrain.light").update(azimuth={"type": "string"}),
        "method terrain.light: argument azimuth: was number, is string",
    ),
    "an argument takes fewer values": (
        lambda d: properties(d, "values.echo").update(mode={"enum": ["fast", "fine"]}),
        "method values.echo: argument mode: 3 is not taken any more",
    ),
    "an argument is bounded closer": (
        lambda d: properties(d, "values.echo")["ratio"].update(maximum=0.5),
        "method values.echo: argument ratio: maximum was 1, is 0.5",
    ),
    "a field of an argument becomes required": (
        lambda d: d["$defs"]["LightInput"]["required"].append("color"),
        "method terrain.relight: argument light: field color is required",
    ),
    "a result changes its type": (
        lambda d: d["methods"]["values.big"].update(result={"type": "string"}),
        "method values.big: result: was array, is string",
    ),
    "a result may be null": (
        lambda d: d["methods"]["terrain.light"].update(result={"anyOf": [{"$ref": "#/$defs/Light"}, {"type": "null"}]}),
        "method terrain.light: result: null is new",
    ),
    "a field of a result is removed": (
        lambda d: (fields(d, "Light").pop("color"), d["$defs"]["Light"]["required"].remove("color")),
        "method terrain.light: result: field color is gone",
    ),
    "a field of a result becomes optional": (
        lambda d: d["$defs"]["Light"]["required"].remove("color"),
        "method terrain.light: result: field color is not always there any more",
    ),
    "a result has a further value": (
        lambda d: d["$defs"]["Color"]["enum"].append("green"),
        'method terrain.light: result: field color: "green" is new',
    ),
    "an integer becomes a bigint": (
        lambda d: fields(d, "Tile")["row"].update({"x-wslink": "integer64"}),
        "topic terrain.tile: payload: field row: was integer, is integer64",
    ),
    "an array has another dtype": (
        lambda d: fields(d, "Tile")["heights"].update(dtype=["<f8"]),
        "topic terrain.tile: payload: field heights: dtype was <f4, is <f8",
    ),
    "an array has another rank": (
        lambda d: properties(d, "mesh.scale")["points"].update(shape=["n"]),
        "method mesh.scale: argument points: shape was ['n', 3], is ['n']",
    ),
    "a tuple is longer": (
        lambda d: d["methods"]["wrong.result"]["result"]["prefixItems"].append({"type": "null"}),
        "method wrong.result: result: had 2 items, has 3",
    ),
    "an error is not declared any more": (
        lambda d: d["methods"]["terrain.light"].pop("errors"),
        "method terrain.light: error TooSteep is not declared any more",
    ),
    "an error has another code": (
        lambda d: d["methods"]["terrain.light"]["errors"][0].update(code=8),
        "method terrain.light: error TooSteep had code 7, has 8",
    ),
    "the data of an error change": (
        lambda d: fields(d, "Limit").update(most={"type": "string"}),
        "method terrain.light: data of TooSteep: field most: was number, is string",
    ),
    "a payload changes": (
        lambda d: d["topics"]["terrain.tile"].update(payload={"type": "string"}),
        "topic terrain.tile: payload: was object, is string",
    ),
    "a tag is removed": (lambda d: fields(d, "TileTags").pop("row"), "topic terrain.tile: tag row is gone"),
    "a tag changes its type": (
        lambda d: fields(d, "TileTags").update(row={"type": "string"}),
        "topic terrain.tile: tag row: was integer, is string",
    ),
    "a topic drops publications": (
        lambda d: d["topics"]["log"].update(delivery="latest"),
        "topic log: delivery is latest, so that publications may be left out",
    ),
    "a topic retains nothing": (
        lambda d: d["topics"]["terrain.tile"].update(retained=False),
        "topic terrain.tile sends new subscribers no retained values any more",
    ),
    "a method streams its result": (
        lambda d: d["methods"]["terrain.light"].update(stream=d["methods"]["terrain.light"].pop("result")),
        "method terrain.light streams its result now",
    ),
    "items of a stream change": (
        lambda d: fields(d, "Part").update(part={"type": "string"}),
        "method mesh.refine: items: field part: was integer, is string",
    ),
    "a page method is added": (
        lambda d: d["handlers"].update({"view.pick": {"params": {}, "result": {}}}),
        "page method view.pick is new: pages do not have it",
    ),
    "a page method wants another result": (
        lambda d: d["handlers"]["view.confirm"].update(result={"type": "string"}),
        "page method view.confirm: result: was boolean, is string",
    ),
}
HARMLESS: dict[str, Change] = {
    "a method is added": lambda d: d["methods"].update(new={"params": {}, "result": {}}),
    "an optional argument is added": lambda d: properties(d, "terrain.light").update(haze={"type": "number"}),
    "an argument takes more": lambda d: properties(d, "terrain.light").update(
        azimuth={"anyOf": [{"type": "number"}, {"type": "string"}]}
    ),
    "a required argument becomes optional": lambda d: d["methods"]["terrain.light"]["params"].pop("required"),
    "a result has a further field": lambda d: fields(d, "Light").update(haze={"type": "number"}),
    "a result is never null any more": lambda d: d["methods"]["terrain.relight"].update(
        result={"$ref": "#/$defs/Light"}
    ),
    "an integer is sent where a number was": lambda d: fields(d, "Limit").update(most={"type": "integer"}),
    "a further error is declared": lambda d: d["methods"]["terrain"].update(errors=[{"name": "E", "code": 3}]),
    "a class has another name": lambda d: (
        d["$defs"].update(Sun=d["$defs"].pop("Light")),
        d.update(json.loads(json.dumps(d).replace('"#/$defs/Light"', '"#/$defs/Sun"'))),
    ),
    "the docs change": lambda d: d["methods"]["terrain.light"].update(description="Sun."),
    "nothing": lambda d: None,
}


@pytest.mark.parametrize("kind", BREAKING)
def test_a_breaking_change_is_named(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, sentence = BREAKING[kind]
    client = tmp_path / "api.ts"
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    new = copy.deepcopy(OLD)
    change(new)
    before.write_text(json.dumps(OLD))
    after.write_text(json.dumps(new))
    assert main(["typegen", str(before), "-o", str(client)]) == 0
    assert main(["typegen", str(before), "-o", str(client), "--check"]) == 0
    assert main(["typegen", str(after), "-o", str(client), "--check"]) == 1
    said = capsys.readouterr().err
    assert "api.ts is stale" in said
    assert f"  breaking: {sentence}\n" in said


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_breaks_nothing_is_not_named(kind: str) -> None:
    new = copy.deepcopy(OLD)
    HARMLESS[kind](new)
    assert breaking_changes(OLD, new) == []


def test_a_client_that_is_not_there_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["typegen", "tests.contract.offer:app", "-o", str(tmp_path / "api.ts"), "--check"]) == 1
    assert "api.ts is not there" in capsys.readouterr().err


def test_a_file_that_is_none_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api.ts").write_text("export {};\n")
    assert main(["typegen", "tests.contract.offer:app", "-o", str(tmp_path / "api.ts"), "--check"]) == 1
    assert "it holds no contract to compare with" in capsys.readouterr().err
