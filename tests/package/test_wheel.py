"""The wheel in an empty environment, without Node: the README's ten lines run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

import wslink

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it requires."""
    directory = tmp_path_factory.mktemp("venv")
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return python


def test_the_wheel_holds_the_client_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "wslink/static/client.js",
        "wslink/static/client.js.map",
        "wslink/static/notebook.js",
        "wslink/static/replay.js",
        "wslink/py.typed",
    } <= set(names)
    assert {f"wslink/launcher/page/admin.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert {f"wslink/observe/page/inspector.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert len([name for name in names if name.endswith(".py")]) == len(list((ROOT / "src").rglob("*.py")))


def readme_code(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text().split("## Use it")[1], re.S)
    assert match is not None
    return match[1]


def test_the_readmes_ten_lines_run_without_node(empty: Path, tmp_path: Path) -> None:
    server = readme_code("python")
    assert len([line for line in server.splitlines() if line.strip()]) <= 10
    (tmp_path / "www").mkdir()
    (tmp_path / "server.py").write_text(server.replace("port=8080", "port=0"))
    (tmp_path / "www" / "index.html").write_text(readme_code("html"))
    environment = {"PATH": str(empty.parent), "HOME": str(tmp_path)}
    assert shutil.which("node", path=environment["PATH"]) is None
    process = subprocess.Popen([empty, "server.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "wslink: Starting factory\n"
        match = re.search(r"http://localhost:(\d+)/$", process.stdout.readline().strip())
        assert match is not None, "the page of a server with a random secret needs none"
        base = f"http://localhost:{match[1]}"
        for path, holds in (
            ("/", "demo.paint"),
            ("/wslink/client.js", "export{"),
            ("/wslink/client.js.map", "sourcesContent"),
        ):
            with urllib.request.urlopen(base + path) as page:
                assert holds in page.read().decode()
        assert asyncio.run(as_the_page_does(base)) == bytes([200, 80, 99, 255])
    finally:
        process.kill()
        process.communicate()


async def as_the_page_does(base: str) -> bytes:
    url = base.replace("http", "ws") + "/ws"
    async with wslink.connect(url, headers={"Origin": base}) as link:
        subscription = link.subscribe("demo.tile", filter={"row": {"lt": 3}})
        await subscription.ready
        assert await link.call("demo.paint", 200, green=80) == 1
        pixels: bytes = (await anext(subscription))["pixels"]
        return pixels[:4]


def test_what_the_package_requires_is_little(empty: Path) -> None:
    listed = subprocess.run(
        [empty, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True, text=True
    )
    names = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    code = "import sys, wslink; print(wslink.__version__, sorted({'aiohttp', 'numpy', 'msgspec'} & set(sys.modules)))"
    done = subprocess.run(
        [empty, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}
    )
    assert done.stdout.split() == [wslink.__version__, "[]"]
    assert "numpy" not in names
    assert {"aiohttp", "msgspec", "msgpack"} <= names
    subprocess.run([empty, "-m", "pip", "check"], check=True, capture_output=True)


def test_versions_agree() -> None:
    python = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert python is not None
    assert python[1] == wslink.__version__
    package = json.loads((ROOT / "js" / "package.json").read_text())
    assert re.fullmatch(r"2\.6\.\d+", package["version"])
    assert f'"{package["version"]}"' in (ROOT / "js" / "src" / "version.ts").read_text().replace("'", '"')
