"""The tables of docs/launcher.md are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from wslink.launcher.configuration import Application, Settings
from wslink.launcher.spawners.slurm import Options as SlurmOptions
from wslink.launcher.validation import _allowed, load

DOCS = Path(__file__).parents[2] / "docs"


def rows(kind: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        f"| `{field.encode_name}` | {_default(field)} | {_allowed(hints[field.name])} |"
        for field in msgspec.structs.fields(kind)
    ]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = () if field.default is msgspec.NODEFAULT else field.default
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return "" if value in ("", None) or isinstance(value, msgspec.Struct) else f"`{str(value).lower()}`"


@pytest.mark.parametrize("kind", [Settings, Application, SlurmOptions])
def test_the_tables_are_complete(kind: type[msgspec.Struct]) -> None:
    text = (DOCS / "launcher.md").read_text()
    assert [row for row in rows(kind) if row not in text] == []


def test_the_example_is_right(tmp_path: Path) -> None:
    example = (DOCS / "launcher.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "launcher.toml").write_text(example)
    assert load(tmp_path / "launcher.toml").endpoint == "/viewers"
