"""The TypeScript client of `wslink typegen`: compiled with right and wrong uses, and run against the server."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.contract import odd, offer
from wslink.cli import main

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "js" / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the client, and programs that use it, compiled."""
    folder = tmp_path_factory.mktemp("typescript")
    for file in (Path(__file__).parent / "typescript").iterdir():
        shutil.copy(file, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    modules = folder / "node_modules"
    modules.mkdir()
    (modules / "wslink").symlink_to(ROOT / "js")
    (modules / "@types").symlink_to(ROOT / "js" / "node_modules" / "@types")
    assert main(["typegen", "tests.contract.offer:app", "-o", str(folder / "api.ts")]) == 0
    assert main(["typegen", "tests.contract.odd:app", "-o", str(folder / "odd_api.ts")]) == 0
    return folder


def compiled(folder: Path, *files: str) -> str:
    """What the compiler says."""
    command = [str(TOOLS / "tsc"), "-p", str(folder), *files]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False).stdout


@pytest.mark.timeout(90)
async def test_right_uses_compile_and_run_and_wrong_ones_do_not_compile(project: Path, serve: Serve) -> None:
    assert await asyncio.to_thread(compiled, project) == ""
    for script, app in (("right", offer.app), ("odd", odd.app)):  # names that mean something else there
        url = await serve(app, debug=True)
        node = await asyncio.create_subprocess_exec(
            "node", f"out/{script}.js", url, cwd=project, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(node.communicate(), 20)
        assert said.decode() == "right\n"


def test_the_module_says_nothing_of_any(project: Path) -> None:
    text = (project / "api.ts").read_text()
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    assert re.findall(r"\bany\b|@ts-", code) == []
    assert "/** degrees from north. */" in text
    assert " * @throws TooSteep" in text


def test_the_module_is_the_same_every_time(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "again.ts"
    assert main(["describe", "tests.contract.offer:app", "-o", str(tmp_path / "api.json")]) == 0
    assert main(["typegen", str(tmp_path / "api.json"), "-o", str(file)]) == 0
    assert file.read_text() == (project / "api.ts").read_text()
