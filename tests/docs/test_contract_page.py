"""The blocks of docs/contract.md."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy
import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import ROOT, block
from tests.docs.programs import done
from wslink.cli import main


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that the page begins with."""
    module = types.ModuleType("contract_page")
    monkeypatch.setitem(sys.modules, "contract_page", module)
    exec(block("docs/contract.md", "python"), module.__dict__)
    return module


async def test_the_example_is_described(page: Any, serve: Serve) -> None:
    async with wslink.connect(await serve(page.app, debug=True), secret="s3cret") as link:
        described = await link.call("wslink.describe")
        assert described["methods"]["terrain.light"]["errors"][0]["code"] == 7
        tiles = link.subscribe("terrain.tile", filter={"kind": "rock"})
        await tiles.ready
        assert await link.call("terrain.light", 315) == {"azimuth": 315, "altitude": 30}
        assert (await anext(tiles))["heights"].dtype == numpy.float32
        with pytest.raises(wslink.CallError) as error:
            await link.call("terrain.light", 315, altitude=-1)
        assert (error.value.code, error.value.data) == (7, -1)


@pytest.fixture
def folder(page: Any, tmp_path: Path) -> Path:
    (tmp_path / "api.json").write_text(json.dumps(page.app.describe()))
    return tmp_path


@pytest.mark.timeout(60)
async def test_the_typescript_client(page: Any, folder: Path, serve: Serve) -> None:
    assert main(["typegen", str(folder / "api.json"), "-o", str(folder / "api.ts")]) == 0
    url = await serve(page.app)
    program = block("docs/contract.md", "ts").replace("ws://localhost:8080/ws", url)
    (folder / "page.ts").write_text(program)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "wslink").symlink_to(ROOT / "js")
    options = ["--target", "es2022", "--module", "nodenext", "--strict", "--skipLibCheck", "--ignoreConfig", "page.ts"]
    assert await done(folder, str(ROOT / "js/node_modules/.bin/tsc"), *options) == ""
    said = (await done(folder, "node", "page.js")).splitlines()
    assert sorted(said) == ["-1", "3 [ 2, 2 ]", "30"]


async def test_the_python_client(page: Any, folder: Path, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["typegen", "--python", str(folder / "api.json"), "-o", str(folder / "api.py")]) == 0
    url = await serve(page.app)
    program = block("docs/contract.md", "python", 1) + f"\n\nasyncio.run(main({url!r}))\n"
    (folder / "program.py").write_text(program)
    assert (await done(folder, "python", "program.py")).splitlines() == ["30.0", "-1.0"]


def test_what_check_says(page: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["typegen", str(folder / "api.json"), "-o", str(folder / "api.ts")]) == 0
    new = page.app.describe() | {}
    new = json.loads(json.dumps(new))
    new["methods"]["terrain.light"]["params"]["required"].append("altitude")
    new["$defs"]["Tile"]["properties"]["heights"]["dtype"] = ["<f8"]
    (folder / "new.json").write_text(json.dumps(new))
    assert main(["typegen", str(folder / "new.json"), "-o", str(folder / "api.ts"), "--check"]) == 1
    said = capsys.readouterr().err.replace(str(folder), "src")
    assert said == block("docs/contract.md", "text")
