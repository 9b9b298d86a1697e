"""Names and values that mean something else in Python, in JSON, or to the commands: what is described of them."""

from __future__ import annotations

import asyncio
import datetime
import importlib.util
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from tests.contract import odd
from wslink.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("odd")
    assert main(["typegen", "--python", "tests.contract.odd:app", "-o", str(made / "odd_api.py")]) == 0
    return made


async def test_a_python_client_calls_and_subscribes_whatever_the_names_are(folder: Path, serve: Serve) -> None:
    spec = importlib.util.spec_from_file_location("odd_api", folder / "odd_api.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["odd_api"] = module
    spec.loader.exec_module(module)
    async with wslink.connect(await serve(odd.app, debug=True), secret="secret") as link:
        api = module.Api(link)
        names = [f"{word}_" if word in ("await", "class", "import", "with") else word for word in odd.WORDS]
        assert [await getattr(api, name)() for name in names] == list(odd.WORDS)
        assert await api.job() == "job"
        assert await api.job.name.first() == "job.name.first"
        assert await api.files.list() == ["a"]
        assert await api.files.dict(["a"], str="b") == {"a": 1, "b": 1}
        which = uuid.uuid4()
        assert await api.files.uuid(which) == which
        then = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)
        assert await api.files.when(then) == then
        assert [one async for one in api.files.items(2, item="x")] == ["x", "x"]
        assert await api.files.result(1, result=b"a") == b"a"
        assert await api.options(class_=1, a_b=True) == {"class": 1, "a b": True}
        with pytest.raises(module.call):
            await api.options()
        tree = {"name": "root", "inner": [{"name": "leaf"}]}
        assert await api.classes({"a": 1}, tree=tree, box={"value": 1, "others": [None, 2]}) == {"a": 1}
        topics = {"2": api._2, "1d.slice": api._1d.slice, "_link": api._link_, "__x": api._x, "__proto__": api._proto__,
                  "toString": api.toString, "job.name.changed": api.job.name.changed}  # fmt: skip
        for name, topic in topics.items():
            async with topic.subscribe() as said:
                await said.ready()
                await api.say(name)
                assert await asyncio.wait_for(anext(said), 5) == name


def test_what_is_described_is_json_and_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    root, environment = Path(__file__).parents[2], {"PYTHONHASHSEED": "1", "PATH": ""}
    command = [sys.executable, "-m", "wslink", "describe", "tests.contract.odd:app"]
    text = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
    assert main(command[3:]) == 0
    assert capsys.readouterr().out == text

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(text, parse_constant=refuse)
    given = document["methods"]["defaults"]["params"]
    assert "required" not in given
    assert {name: one.get("default", "none") for name, one in given["properties"].items()} == {
        "a": "none", "b": "none", "c": 2**70, "d": "2024-01-02", "e": list("abcdefgh"), "f": "none", "g": "none",
        "i": "blue",
    }  # fmt: skip
    assert document["$defs"]["FirstTwin"]["properties"].keys() == {"first"}
    assert document["$defs"]["SecondTwin"]["properties"].keys() == {"second"}


def test_an_app_without_anything_has_a_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing_app.py").write_text("from wslink import App\napp = App()\n")
    monkeypatch.chdir(tmp_path)
    assert main(["typegen", "nothing_app:app", "-o", "api.ts"]) == 0
    assert main(["typegen", "--python", "nothing_app:app", "-o", "api.py"]) == 0
    compile(Path("api.py").read_text(), "api.py", "exec")


@pytest.mark.parametrize("name", ["then", "then.again"])
def test_what_would_make_a_client_a_promise_is_refused_with_the_reason(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = wslink.App()
    app.method(name)(str.upper)
    app.method("tasks.then")(str.upper)
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(app.describe()))
    assert main(["typegen", str(path)]) == 1
    said = capsys.readouterr().err
    assert "would take the client for a promise" in said
    assert "what no server offers" not in said
    assert main(["typegen", str(path), "--python"]) == 0


@pytest.mark.parametrize("ends", ["\r\n", "\ufeff"])
def test_a_file_that_an_editor_or_git_has_saved_its_way_is_not_stale(ends: str, tmp_path: Path) -> None:
    path = tmp_path / "api.ts"
    arguments = ["typegen", "tests.contract.odd:app", "-o", str(path)]
    assert main(arguments) == 0
    text = path.read_text(encoding="utf-8")
    saved = text.replace("\n", ends) if ends == "\r\n" else ends + text
    path.write_bytes(saved.encode())
    assert main([*arguments, "--check"]) == 0


def test_a_file_of_something_else_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "api.ts"
    path.write_bytes(b"\x89PNG\r\n\xff")
    assert main(["typegen", "tests.contract.odd:app", "-o", str(path), "--check"]) == 1
    assert "is not text in UTF-8: wslink typegen did not write it" in capsys.readouterr().err


SERVES = "from wslink import App\napp = App()\napp.run(port=0, ready_msg='')"
"""A program as in the README, which a command would serve for ever as it imports it."""


@pytest.mark.parametrize("command", ["describe", "typegen", "serve"])
@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("import nowhere_to_be_found", "broken:app", "No module named 'nowhere_to_be_found'"),
        ("def f():\n    return nothing\nf()", "broken:app", "NameError: name 'nothing' is not defined"),
        ("app = (", "broken:app", "SyntaxError"),
        ("app = 3", "broken:app", "has no App called 'app'"),
        (SERVES, "broken:app", 'put that below `if __name__ == "__main__":`'),
        ("", "not/a.module:app", "is not of the form module:attribute"),
        ("", ":app", "the name of a module is needed"),
        ("", "nowhere_to_be_found:app", "there is no module"),
    ],
)
def test_what_cannot_be_imported_is_said_without_a_traceback(
    command: str, source: str, target: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "broken.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    assert main([command, target]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    if "nothing" in source:
        assert f"{tmp_path / 'broken.py'}, line 2: return nothing" in err
