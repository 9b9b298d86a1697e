"""What App.run runs on: asyncio, or uvloop where it is installed and chosen."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import wslink
from tests.server.test_life import command, lines_until_serving
from wslink import App, UsageError

VIEWER = """
import asyncio
from wslink import App

app = App(secret="secret")

@app.method("test.loop")
async def loop() -> str:
    return type(asyncio.get_running_loop()).__module__
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop for Windows")
@pytest.mark.parametrize(("chosen", "module"), [("asyncio", "asyncio.unix_events"), ("uvloop", "uvloop")])
@pytest.mark.parametrize("by", ["flag", "environment"])
async def test_it_runs_on_the_loop_that_is_chosen(tmp_path: Path, chosen: str, module: str, by: str) -> None:
    (tmp_path / "viewer.py").write_text(VIEWER)
    flags = ("--loop", chosen) if by == "flag" else ()
    environment = {} if by == "flag" else {"WSLINK_LOOP": chosen}
    with command(tmp_path, "serve", "viewer:app", "--port", "0", *flags, **environment) as process:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        async with wslink.connect(url, secret="secret") as link:
            assert await link.call("test.loop") == module


OTHER_LOOP = "loop must be 'asyncio' or 'uvloop', not 'trio'"


def test_another_loop_is_refused() -> None:
    with pytest.raises(UsageError, match=OTHER_LOOP):
        App().run(loop="trio", port=0)


async def test_another_loop_is_refused_inside_of_a_running_one() -> None:
    with pytest.raises(UsageError, match=OTHER_LOOP):
        await App().serve(loop="trio", port=0)


def test_a_loop_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(UsageError, match=r'pip install "wslink\[uvloop\]"'):
        App().run(loop="uvloop", port=0)
