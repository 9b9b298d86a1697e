"""Puts the documents together for scripts/docs, and completes what Sphinx has built."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)]*)?\))")
FENCE = re.compile(r"```.*?```", re.DOTALL)
LANGUAGES = {".py": "python", ".js": "javascript", ".ts": "typescript", ".html": "html", ".json": "json", ".css": "css"}


def stage(target: Path) -> None:
    """Copy every document to `target`, and make a page of each example."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    documents = {name for name in names if is_document(name)}
    for name in names:
        if name in documents:
            text = (ROOT / name).read_text()
            write(target / name, rewritten(text, name, documents))
        elif name.startswith("docs/images/") or name == "docs/site/playground.html":
            write(target / name, (ROOT / name).read_bytes())
    examples = sorted({name.split("/")[1] for name in documents if name.startswith("examples/")})
    for example in examples:
        add_sources(target, example, [name for name in names if name.startswith(f"examples/{example}/")])
    shutil.copytree(target / "docs/site", target, dirs_exist_ok=True)
    shutil.rmtree(target / "docs/site")


def is_document(name: str) -> bool:
    if not name.endswith(".md") or name.startswith((".", "tests/", "js/tests/")):
        return False
    top = name.split("/")[0]
    return "/" not in name or top in ("docs", "examples") or name in ("js/README.md", "benchmarks/README.md")


def rewritten(text: str, name: str, documents: set[str]) -> str:
    """The text with links that lead out of the site turned into code: it stands alone, without the repository."""

    def replace(match: re.Match[str]) -> str:
        opening, path, end = match.groups()
        if "://" in path or path.startswith("mailto:"):
            return match[0]
        there = (ROOT / name).parent / path
        inside = str(Path(*there.resolve().relative_to(ROOT).parts))
        if inside in documents or inside.startswith("docs/images/"):
            return match[0]
        if f"{inside}/README.md" in documents:
            return f"{opening}{path.rstrip('/')}/README.md{end}"
        if inside == "examples":
            return f"{opening}{path.rstrip('/')}.md)"
        return f"]{{.outside}}{inside}"

    def outside(text: str) -> str:
        text = LINK.sub(replace, text)
        return re.sub(r"(?<!!)\[([^\]]*)\]\{\.outside\}\S+?(?=[\s).,;:|]|$)", r"\1", text)

    pieces, last = [], 0
    for fence in FENCE.finditer(text):
        pieces += [outside(text[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*pieces, outside(text[last:])])


def add_sources(target: Path, example: str, names: list[str]) -> None:
    page = target / "examples" / example / "README.md"
    if not page.exists():
        write(page, f"# {example}\n")
    parts = [page.read_text()]
    for name in sorted(names):
        language = LANGUAGES.get(Path(name).suffix)
        text = (ROOT / name).read_text() if language else ""
        if text.strip() and len(text) < 20_000 and not name.endswith("package-lock.json"):
            parts.append(f"\n## `{name.removeprefix(f'examples/{example}/')}`\n\n````{language}\n{text}\n````\n")
    page.write_text("".join(parts))


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def age(version: str) -> tuple[bool, list[int]]:
    """What versions are sorted by: their numbers, behind names without any, such as `main`."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    return bool(numbers), numbers


def finish(out: Path, version: str) -> None:
    """List the versions that lie side by side, newest first, and lead the front page to the newest."""
    (out / version / ".nojekyll").touch()
    versions = sorted((path.name for path in out.iterdir() if (path / "index.html").is_file()), key=age, reverse=True)
    (out / "versions.json").write_text(json.dumps(versions))
    (out / "index.html").write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={versions[0]}/">\n')
    shutil.copy2(ROOT / "js/dist/session/filters.js", out / version / "_static/filters.js")


if __name__ == "__main__":
    if sys.argv[1:2] == ["stage"]:
        stage(Path(sys.argv[2]))
    else:
        finish(Path(sys.argv[2]), sys.argv[3])
