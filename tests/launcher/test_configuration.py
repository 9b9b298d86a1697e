from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import configuration
from wslink.cli import main
from wslink.errors import ConfigurationError
from wslink.launcher.configuration import with_environment
from wslink.launcher.source import read_source
from wslink.launcher.validation import convert, load, warnings

RELEASED = """
// ParaViewWeb's, with comments of both kinds
{
    "configuration": {
        "host": "localhost", "port": "9000",  /* a number as a string */
        "endpoint": "paraview",
        "proxy_file": "/tmp/proxy.txt",
        "sessionURL": "ws://USE_HOST/proxy?sessionId=${id}&path=ws", // "//" in a string stays
        "timeout": 25,
        "log_dir": "/tmp/logs",
        "fields": [],
        "sanitize": {"file": {"type": "regexp", "regexp": "^[^\\"]*$", "default": "nothing"}}
    },
    "sessionData": {"key": "value", "number": 1},
    "resources": [{"host": "0.0.0.0", "port_range": [9001, 9500]}],
    "properties": {"data": "/data"},
    "apps": {"trame": {"cmd": ["app", "--port", "${port}", "--at", "${file}"], "ready_line": "App running at"}}
}
"""


def test_a_released_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "launcher.json").write_text(RELEASED)
    read = load(tmp_path / "launcher.json")
    assert read.settings.port == 9000
    assert read.settings.session_url.startswith("ws://USE_HOST")
    assert read.resources[0].port_range == (9001, 9500)
    assert read.apps["trame"].ready_line == "App running at"
    assert warnings(tmp_path / "launcher.json") == []


BROKEN = [
    ('"port": "9000"', '"port": "http"', r"launcher.json:5: configuration\.port: it must be a port: a number"),
    ('"timeout": 25,', "", r"launcher.json:4: configuration\.timeout: it is missing; it is the seconds"),
    ("[9001, 9500]", "[9001]", r"launcher.json:15: resources\.0\.port_range: it must be the first and the last port"),
    ("[9001, 9500]", "[9500, 9001]", r"launcher.json:15: resources\.0\.port_range: the first port is greater"),
    ("[9001, 9500]", "[1, 70000]", r"launcher.json:15: resources\.0\.port_range: it must be"),
    ('"data": "/data"', '"secret": "x"', r"launcher.json:16: properties\.secret: this name is the launcher's own"),
    ('"regexp": "^[^', '"regexp": "(^[^', r"sanitize\.file\.regexp: it must be a regular expression"),
    ('"type": "regexp"', '"type": "glob"', r'sanitize\.file\.type: it must be "inList" or "regexp"'),
    ('"cmd": ["app"', '"cmd": [["app"]', r"launcher.json:17: apps\.trame\.cmd: it must be a list of the program"),
    ('"endpoint": "paraview"', '"endpoint": "a b"', r"launcher.json:6: configuration\.endpoint: it must be a path"),
    ('"apps": {', '"apps": [], "x": {', r"launcher.json:17: apps: an object is needed"),
    ('"fields": [],', '"fields": []', r"launcher.json:12: this is no JSON"),
]


@pytest.mark.parametrize(("old", "new", "problem"), BROKEN)
def test_a_problem_names_key_line_and_what_is_allowed(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in RELEASED
    (tmp_path / "launcher.json").write_text(RELEASED.replace(old, new))
    with pytest.raises(ConfigurationError, match=problem):
        load(tmp_path / "launcher.json")


def test_every_problem_is_told(tmp_path: Path) -> None:
    text = RELEASED.replace('"timeout": 25,', "").replace('"port": "9000"', '"port": -1')
    (tmp_path / "launcher.json").write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path / "launcher.json")
    assert len(error.value.problems) == 2


def test_a_key_that_means_nothing_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "launcher.json").write_text(RELEASED.replace('"timeout": 25,', '"timeout": 25, "orgins": [],'))
    (warning,) = warnings(tmp_path / "launcher.json")
    assert warning == "launcher.json:9: configuration.orgins: nothing is known by this name; is origins meant?"


def test_toml_is_the_same(tmp_path: Path) -> None:
    data = configuration(tmp_path, apps={"a": {"cmd": ["x"]}})
    lines = ["[configuration]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in data["configuration"].items()]
    lines += ["[[resources]]", 'host = "localhost"', f"port_range = {data['resources'][0]['port_range']}"]
    lines += ["[properties]", "[apps.a]", 'cmd = ["x"]']
    path = tmp_path / "launcher.toml"
    path.write_text("\n".join(lines))
    assert load(path).apps["a"].cmd == ("x",)
    path.write_text("\n".join(lines).replace('cmd = ["x"]', "cmd = 3"))
    with pytest.raises(ConfigurationError, match=rf"launcher.toml:{len(lines)}: apps\.a\.cmd: it must be a list"):
        load(path)
    path.write_text("x = [")
    with pytest.raises(ConfigurationError, match=r"launcher.toml:1: this is no TOML"):
        load(path)


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "", "{", "{}"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    (tmp_path / "launcher.json").write_text(text)
    with pytest.raises(ConfigurationError):
        load(tmp_path / "launcher.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_source(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("environment", "switches"),
    [
        ({}, (False, False)),
        ({"WSLINK_LAUNCHER_GET": "1"}, (True, False)),
        ({"WSLINK_LAUNCHER_DELETE": "0"}, (False,) * 2),
    ],
)
def test_the_environment_switches_requests_on(tmp_path: Path, environment: Any, switches: tuple[bool, bool]) -> None:
    settings = with_environment(convert(configuration(tmp_path, get=False, delete=False)), environment).settings
    assert (settings.get, settings.delete) == switches


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "launcher.json").write_text(RELEASED)
    assert main(["launch", "--check", str(tmp_path / "launcher.json")]) == 0
    assert "trame: started by 'local'; clients may post file" in capsys.readouterr().out
    (tmp_path / "launcher.json").write_text(RELEASED.replace("9001,", ""))
    assert main(["launch", "--check", str(tmp_path / "launcher.json")]) == 2
    assert "launcher.json:15: resources.0.port_range" in capsys.readouterr().err
