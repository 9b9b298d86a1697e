"""The blocks of docs/recording.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import block
from wslink import CallError
from wslink.wire.recording import Reader


async def test_a_recorder_keeps_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    page: dict[str, Any] = {}
    exec(block("docs/recording.md", "python"), page)
    async with page["app"].connect() as link:
        assert await link.call("terrain.light", 45) == 2
        assert await link.call("admin.save") == 3
        with pytest.raises(CallError):
            await link.call("terrain.light", 0)
    assert Reader(Path("run.wsrec").read_bytes()).about.reason == "asked for"
    page["recorder"].wait()
    (path,) = Path("recordings").iterdir()
    assert "ZeroDivisionError" in Reader(path.read_bytes()).about.reason
