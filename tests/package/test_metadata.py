"""What the package's page on PyPI shows, and what the sdist carries."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.package.conftest import ROOT, build, unpacked

pytestmark = pytest.mark.timeout(300)

CLIENT = {
    *(f"src/wslink/static/{name}.js{map_}" for name in ("client", "replay") for map_ in ("", ".map")),
    "src/wslink/static/notebook.js",
}
"""What is built and not tracked, and yet carried."""
FILES = {
    "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "hatch_build.py", "hatch_metadata.py",
}  # fmt: skip
MADE = {"PKG-INFO", "pyproject.toml", ".gitignore"}
"""What hatchling adds to any sdist."""
REPOSITORY = re.compile(r'^repository = "(.*)"$', re.MULTILINE)


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text()


def repository() -> str:
    [address] = REPOSITORY.findall(pyproject())
    return str(address)


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def urls(message: Message) -> dict[str, str]:
    pairs = [entry.partition(", ") for entry in message.get_all("Project-URL", [])]
    return {name: address for name, _, address in pairs}


def targets(text: str) -> list[str]:
    """Where the Markdown links and pictures of a text lead."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


def test_the_sdist_carries_what_a_wheel_and_a_reader_need_and_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "src/wslink", "docs", "deploy", "examples"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert names == {*tracked, *CLIENT, *MADE, *(FILES & {path.name for path in ROOT.iterdir()})}


def test_no_link_of_the_packages_page_is_dead(wheel: Path) -> None:
    page = str(metadata(wheel).get_payload())
    assert page.startswith("# wslink")
    assert [target for target in targets(page) if not re.match(r"https?://", target)] == []
    assert "Tutorial" in page, "what links say stays"


def test_the_package_names_its_pages(wheel: Path) -> None:
    assert {"Releases", "JavaScript package"} <= urls(metadata(wheel)).keys()


def test_a_repository_named_once_is_named_everywhere(sdist: Path, tmp_path: Path) -> None:
    base = "https://forge.example/wslink"
    source = unpacked(sdist, tmp_path / "source")
    (source / "PKG-INFO").unlink()  # what was computed when the sdist was made
    text = (source / "pyproject.toml").read_text()
    (source / "pyproject.toml").write_text(REPOSITORY.sub(f'repository = "{base}"', text))
    message = metadata(build("wheel", source, tmp_path / "wheel"))
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= urls(message).keys()
    own = [target for target in targets(str(message.get_payload())) if target.startswith(base)]
    pages = {re.sub(r"#.*", "", target.split("/HEAD/")[1]) for target in own}
    assert {"docs/tutorials/README.md", "docs/images/demo.webp"} <= pages
    assert [page for page in sorted(pages) if not (ROOT / page).exists()] == []


def test_npm_names_the_same_repository() -> None:
    package = json.loads((ROOT / "js" / "package.json").read_text())
    named = package.get("repository", "")
    address = named["url"] if isinstance(named, dict) else named
    assert address.removeprefix("git+").removesuffix(".git") == repository()


def test_the_classifiers_are_the_versions_that_the_tests_run(wheel: Path) -> None:
    classifiers = metadata(wheel).get_all("Classifier", [])
    named = {match[1] for line in classifiers if (match := re.search(r"Python :: (3\.\d+)$", line))}
    [run] = re.findall(r"^versions=\((.*)\)", (ROOT / "scripts" / "test").read_text(), re.MULTILINE)
    assert named <= set(run.split())
    [lowest] = re.findall(r'requires-python = ">=(.*)"', pyproject())
    assert min(named, key=lambda version: int(version[2:])) == lowest
