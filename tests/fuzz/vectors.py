"""The shared vectors as seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


def group(file: str, name: str) -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / f"{file}.json").read_text())[name])


def hexes(cases: list[dict[str, Any]], key: str) -> list[bytes]:
    return [bytes.fromhex(case[key]) for case in cases]


def plain(value: Any) -> Any:
    """A value in the notation of docs/protocol/README.md, as far as hello needs it."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    return {key: plain(item) for key, item in value.items()}


def bundle(file: str) -> dict[str, Any]:
    """A whole file of vectors."""
    return dict(json.loads((FOLDER / f"{file}.json").read_text()))
