"""What the recordings of real engines and their replay have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.docs.blocks import block
from wslink.launcher.source import read_source

PAGE = "docs/launcher.md"


def normal(path: str) -> str:
    """A request's path without the names and ids of one run."""
    path = re.sub(r"^/v\d+[.]\d+", "", path)
    path = re.sub(r"wslink-[0-9a-f-]{36}", "NAME", path)
    return re.sub(r"[0-9a-f]{64}", "ID", path)


def recipe(directory: Path, program: str) -> dict[str, Any]:
    """The application that docs/launcher.md has for `docker` or `kubectl`."""
    text = block(PAGE, "toml", 2)
    if program == "kubectl":
        text = text.split("[apps.viewer.options]")[0] + block(PAGE, "toml", 3)
    (directory / "recipe.toml").write_text(text)
    found: dict[str, Any] = read_source(directory / "recipe.toml").data["apps"]["viewer"]
    return found
