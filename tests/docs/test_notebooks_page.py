"""The block of docs/notebooks.md."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import block
from tests.notebook.kernel import running


async def test_the_cell_shows_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("<p>here")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with running(monkeypatch) as comms:
        exec(block("docs/notebooks.md", "python"), names)
        (page,) = comms
        assert await page.get("index.html") == (200, "text/html", b"<p>here")
    async with names["app"].connect() as link:
        waves = link.subscribe("demo.wave")
        await waves.update(None)  # the subscription has been accepted
        assert await link.call("demo.tune", 2) == 2
        assert (await asyncio.wait_for(anext(waves), 5)).shape == (400,)
