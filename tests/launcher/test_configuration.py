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
from wslink.launcher.validation import convert, load, missing_programs, warnings

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
    (
        '"endpoint": "paraview"',
        '"endpoint": "/metrics/"',
        r"launcher.json:6: .*: the launcher itself answers at /health",
    ),
    ('"apps": {', '"apps": [], "x": {', r"launcher.json:17: apps: an object is needed"),
    ('"fields": [],', '"fields": []', r"launcher.json:12: this is not JSON"),
    ('"timeout": 25', f'"timeout": {"2" * 5000}', r"launcher.json:1: this is not JSON that can be read"),
    ('"fields": []', '"fields": ' + "[" * 100_000, r"launcher.json:1: this is not JSON that can be read"),
    ("/tmp/logs", r"/tmp/\u0000logs", r"launcher.json:10: configuration\.log_dir: it must not hold '\\x00'"),
    ("/tmp/proxy.txt", r"/tmp/\ud800", r"launcher.json:7: configuration\.proxy_file: it must not hold '\\ud800'"),
    ('"--port"', r'"\u0000"', r"launcher.json:17: apps\.trame\.cmd\.1: it must not hold"),
    ('"data": "/data"', r'"\u0000": "/data"', r"launcher.json:16: properties: it must not hold"),
    ('"cmd": ["app"', '"env": {"A=B": ""}, "cmd": ["app"', r"apps\.trame\.env\.A=B: the name of a variable"),
    ('"cmd": ["app"', '"env": {"": ""}, "cmd": ["app"', r"apps\.trame\.env\.: the name of a variable"),
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
    (tmp_path / "LAUNCHER.TOML").write_text("\n".join(lines))
    assert load(tmp_path / "LAUNCHER.TOML").apps["a"].cmd == ("x",)
    path.write_text("x = [")
    with pytest.raises(ConfigurationError, match=r"launcher.toml:1: this is not TOML"):
        load(path)


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "", "{", "{}"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    (tmp_path / "launcher.json").write_text(text)
    with pytest.raises(ConfigurationError):
        load(tmp_path / "launcher.json")


@pytest.mark.parametrize("name", ["launcher.json", "launcher.toml", "launcher.TOML"])
@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000 + "]" * 100_000], ids=["digits", "lists"])
def test_a_file_that_no_reader_can_hold(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / name).write_text(f'{{"a": {value}}}' if name.endswith("json") else f"a = {value}")
    with pytest.raises(ConfigurationError, match=rf"{name}:1: (it cannot be read|this is not)"):
        load(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_source(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("environment", "switches"),
    [
        ({}, (False, False)),
        ({"WSLINK_LAUNCHER_GET": "1"}, (True, False)),
        ({"WSLINK_LAUNCHER_DELETE": "0"}, (False,) * 2),
        ({"WSLINK_LAUNCHER_GET": "false", "WSLINK_LAUNCHER_DELETE": " "}, (False,) * 2),
        ({"WSLINK_LAUNCHER_GET": "off", "WSLINK_LAUNCHER_DELETE": "yes"}, (False, True)),
    ],
)
def test_the_environment_switches_requests_on(tmp_path: Path, environment: Any, switches: tuple[bool, bool]) -> None:
    settings = with_environment(convert(configuration(tmp_path, get=False, delete=False)), environment).settings
    assert (settings.get, settings.delete) == switches


def checked(capsys: pytest.CaptureFixture[str], path: Path, text: str) -> tuple[int, str, str]:
    """The exit code and the output of `--check` for a configuration."""
    path.write_text(text)
    code = main(["launch", "--check", str(path)])
    told = capsys.readouterr()
    return code, told.out, told.err


RUNNABLE = RELEASED.replace('"app"', '"sh"')


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = checked(capsys, tmp_path / "launcher.json", RUNNABLE)
    assert (code, "trame: started by 'local'; clients may post file" in told) == (0, True)
    code, _, told = checked(capsys, tmp_path / "launcher.json", RUNNABLE.replace("9001,", ""))
    assert (code, "launcher.json:15: resources.0.port_range" in told) == (2, True)


def test_a_token_for_which_a_launcher_would_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = tmp_path / "token"
    text = RUNNABLE.replace('"configuration": {', f'"configuration": {{ "admin_token_file": "{token}",', 1)
    code, _, told = checked(capsys, tmp_path / "launcher.json", text)
    assert (code, "configuration.admin_token_file: [Errno 2]" in told) == (2, True)
    token.touch()
    code, _, told = checked(capsys, tmp_path / "launcher.json", text)
    assert (code, f"configuration.admin_token_file: {token} must hold at least 16 characters" in told) == (2, True)
    token.write_text("sixteen characters")
    assert checked(capsys, tmp_path / "launcher.json", text)[0] == 0


SLIPS = [
    (
        '"cmd": ["sh"',
        '"cmd": ["no-such-viewer"',
        "json:17: apps.trame.cmd.0: there is no program 'no-such-viewer'",
    ),
    ('"cmd": ["sh"', '"cmd": ["/no/such/viewer"', "there is no program '/no/such/viewer'"),
    ('"cmd": ["sh"', '"cmd": ["${data}/viewer"', "there is no program '/data/viewer'"),
    ('"cmd": ["sh"', '"cwd": "/no/such", "cmd": ["sh"', "apps.trame.cwd: there is no directory '/no/such'"),
    ('"timeout": 25', '"timeout": 25, "authentication": {"type": "beare"}', "authentication 'beare': one of header, "),
    (
        '"timeout": 25',
        '"timeout": 25, "authentication": {"type": "bearer", "options": {"token_file": "/no/such"}}',
        "No such file or directory: '/no/such'",
    ),
    (
        '"timeout": 25',
        '"timeout": 25, "authentication": {"type": "header", "options": {"name": "X User"}}',
        "'X User' is not the name of a header",
    ),
    ('"timeout": 25', '"timeout": 25, "trusted_proxies": ["proxy"]', "configuration.trusted_proxies: 'proxy' does not"),
    (
        '"timeout": 25',
        '"timeout": 25, "identity_headers": ["X User"]',
        "identity_headers.0: 'X User' is not the name of",
    ),
    (
        '"ready_line"',
        '"limits": {"memory_mb": 9007199254740993}, "ready_line"',
        "apps.trame.limits: it must be an object",
    ),
    ('"fields": []', '"fields": ["secrt"]', "configuration.fields.0: no session has 'secrt'; is 'secret' meant?"),
    ('"timeout": 25', '"timeout": 25, "orgins": []', "configuration.orgins: nothing is known by this name; is origins"),
    ('"timeout": 25', '"timeout": 5, "timeout": 25', "configuration.timeout: it stands here more than once"),
    ('"apps": {', '"apps": {"trame": {"cmd": ["no"]}, "b": {}}, "apps": {', "apps: it stands here more than once"),
    (
        '"sanitize": {"file"',
        '"sanitize": {"fiel"',
        "clients cannot post 'fiel': no application names it; is 'file'",
    ),
    (
        '"ready_line"',
        '"limits": {"memory": 1}, "ready_line"',
        "limits.memory: nothing is known by this name",
    ),
    ('"apps"', '"app"', "apps: it is missing; it is an object with an application by each name; is app meant for it?"),
    (
        '"configuration"',
        '"config"',
        "it is missing; it is an object of settings; is config meant for it?",
    ),
    (
        '"log_dir"',
        '"logdir"',
        "configuration.log_dir: it is missing; it is a directory for logs and the state file; is",
    ),
    (
        '"timeout": 25',
        '"timeout": 25, "authentication": {"type": "headers", "options": {"name": "X-Remote-User"}}',
        "authentication 'headers': one of header, bearer, jwt, openid, or package.module",
    ),
    (
        '"timeout": 25',
        '"timeout": 25, "authentication": {"type": "header", "options": {"nam": "X-Remote-User"}}',
        "authentication 'header': the option 'name' is missing",
    ),
    ('"ready_line"', '"cwd": "/no/such", "ready_line"', "apps.trame.cwd: there is no directory '/no/such'"),
    (
        '"ready_line"',
        '"env": {"KEY": "${secrt}"}, "ready_line"',
        "apps.trame: clients would have to post 'secrt'; is 'secret' meant?",
    ),
    (
        '"sessionURL": "ws://USE_HOST/proxy?sessionId=${id}&path=ws"',
        '"sessionURL": "ws://USE_HOST/other/session/${id}/${token}/ws"',
        "configuration.sessionURL: the launcher's own proxy is at /paraview/session/${id}/${token}/",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), SLIPS)
def test_check_fails_for_what_is_surely_not_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    code, _, said = checked(capsys, tmp_path / "launcher.json", RUNNABLE.replace(old, new, 1))
    assert code == 2
    assert told in said


def test_programs_of_other_spawners_are_looked_for_where_they_run(tmp_path: Path) -> None:
    options = {"start": ["no-such-engine", "run"], "poll": ["true"], "stop": ["sh", "-c", "true"]}
    apps = {"a": {"cmd": ["in-a-container"], "spawner": "command", "options": options}, "b": {"cmd": ["${posted}"]}}
    (tmp_path / "launcher.json").write_text(json.dumps(configuration(tmp_path, apps=apps)))
    (problem,) = missing_programs(tmp_path / "launcher.json")
    assert "apps.a.options.start.0: there is no program 'no-such-engine' in PATH" in problem


@pytest.mark.parametrize("name", ["launcher.json", "launcher.toml"])
def test_a_file_of_any_editor_is_read(tmp_path: Path, name: str) -> None:
    """With a byte order mark, and lines that end with CR LF."""
    data = configuration(tmp_path, apps={"a": {"cmd": ["x"]}})
    lines = ["[configuration]", *(f"{key} = {json.dumps(value)}" for key, value in data["configuration"].items())]
    lines += [
        "[[resources]]",
        'host = "localhost"',
        "port_range = [9001, 9002]",
        "[properties]",
        "[apps.a]",
        'cmd = ["x"]',
    ]
    text = "\n".join(lines) if name.endswith("toml") else json.dumps(data, indent=1)
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load(tmp_path / name).apps["a"].cmd == ("x",)
    (tmp_path / name).write_bytes(
        text.replace('["x"]', "3").replace('[\n    "x"\n   ]', "3").replace("\n", "\r\n").encode()
    )
    with pytest.raises(ConfigurationError, match=rf"{name}:\d+: apps\.a\.cmd"):
        load(tmp_path / name)
    (tmp_path / name).write_text(text, encoding="utf-16")
    with pytest.raises(ConfigurationError, match="is UTF-16: save it as UTF-8"):
        load(tmp_path / name)
