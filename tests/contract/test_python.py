"""The Python client that `wslink typegen --python` writes: clean under mypy --strict, and run against the server."""

from __future__ import annotations

import datetime
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest

import wslink
from tests.conftest import Serve
from tests.contract import offer
from wslink import App, CallError
from wslink.cli import main
from wslink.client.typed import UnexpectedResult

RIGHT = """\

import datetime
import numpy as np
from wslink import Link
from api import Api, Light, TooSteep

async def right(link: Link) -> None:
    api = Api(link)
    light: Light = await api.terrain.light(315, altitude=30, color="blue")
    relit = await api.terrain.relight({"azimuth": 3})
    if relit is not None:
        names: list[str] = relit["names"]
    try:
        await api.terrain()
    except TooSteep as error:
        most: float = error.data["most"]
    async with api.terrain.tile.subscribe(filter={"row": {"gte": 3}, "kind": ["rock"]}) as tiles:
        async for tile in tiles:
            heights: np.ndarray = tile["heights"]
    await api.values.echo(when=datetime.datetime.now(), sizes={1: [2]}, pair=(1, "a"))
    wide: list[int] = await api.values.big(2**60)
    sums: dict[str, int] = await api.values.many(1, 2, 3, deep=True)
    async for part in api.mesh.refine(3):
        whole: int = part["whole"]
"""
ODD_USES = """\

import datetime
import uuid
from wslink import Link
from odd_api import Api

async def right(link: Link) -> None:
    api = Api(link)
    names: list[str] = await api.files.list()
    counts: dict[str, int] = await api.files.dict(["a"], "b")
    found: uuid.UUID = await api.files.uuid(uuid.uuid4())
    then: datetime.datetime = await api.files.when(datetime.datetime.now(), uuid.uuid4())
    async for item in api.files.items(2, item="x"):
        text: str = item
    data: bytes | None = await api.files.result(1, result=b"")
    word: str = await api.class_()
    await api.options(class_=1, default="d", from_=2.0, a_b=True)
    async with api.view.subscribe(filter={"class": 3, "row": {"gte": 1}}) as views:
        a: int = (await anext(views))["a"]
"""
WRONG = {
    'await api.terrain.light("315")': 'has incompatible type "str"; expected "float"',
    'await api.terrain.light(315, color="green")': """expected "Literal['red', 'blue']""",
    "await api.terrain.light(azimut=315)": 'Unexpected keyword argument "azimut"',
    "await api.terrain.light()": 'Missing positional argument "azimuth"',
    "await api.terrain.lights(3)": 'has no attribute "lights"',
    '(await api.terrain.light(3))["latitude"]': 'has no key "latitude"',
    "x: str = await api.terrain.ask()": "Incompatible types in assignment",
    'api.terrain.tile.subscribe(filter={"col": 3})': 'Argument "filter" to "subscribe"',
    'api.terrain.tile.subscribe(filter={"row": "3"})': 'Argument "filter" to "subscribe"',
    'await api.terrain.relight({"altitude": 3})': 'Missing key "azimuth"',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("python")
    assert main(["typegen", "--python", "tests.contract.offer:app", "-o", str(made / "api.py")]) == 0
    return made


@pytest.fixture(scope="module")
def api(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("contract_api", folder / "api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contract_api"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(120)
def test_right_uses_are_clean_under_mypy_and_wrong_ones_are_not(folder: Path) -> None:
    pytest.importorskip("mypy")
    wrong = "".join(f"async def wrong{n}(api: Api) -> None:\n    {line}\n\n" for n, line in enumerate(WRONG))
    assert main(["typegen", "--python", "tests.contract.odd:app", "-o", str(folder / "odd_api.py")]) == 0
    (folder / "right.py").write_text(RIGHT)
    (folder / "odd.py").write_text(ODD_USES)
    (folder / "wrong.py").write_text(f"from api import Api\n\n{wrong}")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    options = ["--disable-error-code", "type-arg", "--config-file", "", "--cache-dir", str(folder / "cache")]
    files = ["api.py", "right.py", "odd_api.py", "odd.py", "wrong.py"]
    done = subprocess.run([*command, *options, *files], cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    assert [line for line in said if not line.startswith("wrong.py")] == [], done.stderr
    for number, (line, why) in enumerate(WRONG.items()):
        place = f"wrong.py:{4 + 3 * number}:"
        assert any(one.startswith(place) and why in one for one in said), (line, said)


async def test_it_calls_and_subscribes(api: Any, serve: Serve) -> None:
    async with wslink.connect(await serve(offer.app, debug=True), secret="secret") as link:
        client = api.Api(link)
        assert (await client.terrain.light(315, color="blue"))["altitude"] == 30
        with pytest.raises(api.TooSteep) as error:
            await client.terrain.light(315, -1)
        assert error.value.data == {"most": 0}
        async with client.terrain.tile.subscribe(filter={"row": {"gte": 3}}) as tiles:
            await tiles.ready()
            await client.terrain()
            tile = await anext(tiles)
            assert (tile["row"], tile["heights"].dtype) == (3, numpy.float32)
            await tiles.update({"kind": "sand"})
        when = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)
        assert (await client.values.echo(when=when, pair=(3, "b")))["pair"] == [3, "b"]
        assert await client.values.many(1, 2, 3, 4, deep=True) == {"first": 1, "second": 2, "sum": 7, "options": 1}
        assert await client.values.many(1) == {"first": 1, "second": 2, "sum": 0, "options": 0}
        with pytest.raises(CallError, match="returned what its type does not allow"):
            await client.wrong.result()
        points = await client.mesh.scale(numpy.ones((2, 3), "f4"), numpy.array([2.0]))
        parts = [part async for part in client.mesh.refine(3)]
        assert parts == [{"part": n, "whole": 3} for n in range(3)]

        async def numbers() -> AsyncIterator[int]:
            for number in (1, 2, 3):
                yield number

        assert await client.mesh.upload(numbers()) == 6
        assert points.tolist() == [[2, 2, 2], [2, 2, 2]]


async def test_a_result_that_the_contract_does_not_know_is_said_to_be_one(api: Any, serve: Serve) -> None:
    other = App(secret="secret")
    other.method("terrain.light")(lambda azimuth: {"azimuth": "north"})
    other.method("wrong.result")(offer.wrong)
    async with wslink.connect(await serve(other), secret="secret") as link:
        with pytest.raises(UnexpectedResult, match="terrain.light: Expected `float`, got `str`"):
            await api.Api(link).terrain.light(3)
        with pytest.raises(UnexpectedResult, match="wrong.result: Expected `str`, got `int`"):
            await api.Api(link).wrong.result()


def test_it_is_checked_as_typescript_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["typegen", "--python", "tests.contract.offer:app", "-o", str(folder / "api.py"), "--check"]
    assert main(arguments) == 0
    stale = folder / "stale.py"
    before = (folder / "api.py").read_text()
    stale.write_text(before.replace('"secondsLater":{"type":"number"', '"secondsLater":{"type":"string"'))
    arguments[4] = str(stale)
    assert main(arguments) == 1
    assert "argument secondsLater: was string, is number" in capsys.readouterr().err


def test_its_format_is_ruffs(folder: Path) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    command = [ruff, "format", "--isolated", "--check", "api.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
