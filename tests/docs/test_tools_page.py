"""The blocks of docs/tools.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.conftest import Serve
from tests.docs.blocks import block
from tests.docs.programs import done
from wslink import App
from wslink.tools.findings import NGINX, Finding, ok


@pytest.mark.timeout(60)
async def test_the_commands(tmp_path: Path, serve: Serve) -> None:
    app = App(secret="secret")

    @app.method("terrain.light")
    def light(azimuth: float, altitude: float) -> dict[str, Any]:
        return {"light": [azimuth, altitude], "heights": numpy.zeros((2, 2), "f4")}

    tile = app.topic("terrain.tile", retain=True)
    tile.publish({"row": 3}, {"row": 3, "kind": "rock"})
    url = f"{await serve(app)}?secret=secret"
    said = [await done(tmp_path, "bash", "-c", block("docs/tools.md", "bash", number), URL=url) for number in range(3)]
    assert "<<f4 [2, 2] 16 B, 0 to 0, mean 0>" in said[0]
    assert "{row: 3}" in said[1]
    assert said[2].splitlines()[-1] == "all is well"


def test_what_the_doctor_says() -> None:
    text = "426 of nginx/1.22.1: the request to upgrade did not arrive"
    found = Finding("upgrade", False, text, "the proxy (nginx/1.22.1)", NGINX)
    shown = block("docs/tools.md", "text")
    assert ok("clock", "differs by 0 s at most").lines() in shown
    lines = found.lines().splitlines()
    assert "\n".join(lines[:2]) in shown
    assert lines[2].startswith(shown.splitlines()[-1].removesuffix(" ..."))
