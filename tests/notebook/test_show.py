"""`wslink.notebook.show`, with a kernel that is stood in for; tests/applications/notebook.test.js has a real one."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.notebook.kernel import running
from wslink import App, UsageError
from wslink.notebook import show


@pytest.fixture
def www(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<p>here")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a b.js").write_text("export {}")
    (tmp_path / ".secret").write_text("x")
    return tmp_path


async def test_a_page_gets_its_files_and_the_client_and_nothing_else(
    www: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wslink.notebook.widget.MAX_FILE", 100)
    (www / "large.bin").write_bytes(bytes(101))
    (www / "link.txt").symlink_to("/etc/hostname")
    with running(monkeypatch) as comms:
        show(App(), www)
        (page,) = comms
        assert await page.get("index.html") == (200, "text/html", b"<p>here")
        assert (await page.get("deep/a b.js"))[0] == 200
        status, kind, body = await page.get("wslink/client.js")
        assert (status, "javascript" in kind) == (200, True)
        assert len(body) > 10_000
        for path in ("none", ".secret", "../../../etc/hostname", "/etc/hostname", "link.txt", "wslink/../x"):
            assert (await page.get(path))[0] == 404, path
        assert (await page.get("large.bin"))[0] == 413
    assert "sandbox" in page.state["_esm"]


async def test_messages_of_another_thread_are_taken_on_the_loops(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch) as comms:
        show(App(), www)
        (page,) = comms
        ways = [{"kind": "open", "view": "v", "connection": 1}, "no map", {"kind": "get", "path": "none"}]
        thread = Thread(target=lambda: [page.from_page(content) for content in ways])
        thread.start()
        thread.join()
        assert (await page.messages.get())[0] == {"view": "v", "connection": 1, "kind": "opened"}
        assert (await page.messages.get())[0]["status"] == 404


async def test_a_page_that_asks_for_a_sign_of_life_gets_one(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch) as comms:
        show(App(), www)
        (page,) = comms
        page.from_page({"kind": "ping", "view": "v"})
        assert await asyncio.wait_for(page.messages.get(), 5) == ({"kind": "pong", "view": "v"}, [])


async def test_a_sentence_stands_where_no_page_can_be(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook that is opened with what was saved, converted, or on a site that shows notebooks."""
    shown: list[Any] = []
    monkeypatch.setattr("wslink.notebook.widget.display", shown.append)
    with running(monkeypatch):
        show(App(), www)
    data, _ = shown[0]._repr_mimebundle_()
    assert data["text/plain"] == "A page of wslink, which is here while its kernel runs. Run this cell to see it."
    assert "application/vnd.jupyter.widget-view+json" in data


async def test_what_cannot_be_shown_is_said(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch) as comms:
        with pytest.raises(UsageError, match="not a directory"):
            show(App(), www / "none")
        app = App()
        async with await app.serve(port=0, handle_signals=False, ready_msg="", application_thread=True):
            with pytest.raises(UsageError, match="application_thread"):
                show(app, www)
        monkeypatch.setitem(sys.modules, "wslink.notebook.widget", None)
        with pytest.raises(UsageError, match=r"pip install 'wslink\[notebook\]'"):
            show(app, www)
    assert comms == []


def test_outside_a_notebook_it_says_so(www: Path) -> None:
    with pytest.raises(UsageError, match="a cell of a notebook"):
        show(App(), www)


def test_an_app_alone_loads_no_widget() -> None:
    script = (
        "import sys; from wslink import App; App(); sys.exit(any(n in sys.modules for n in ('anywidget', 'IPython')))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


async def test_the_widget_is_one_script_that_needs_no_other_and_evaluates_no_text(
    www: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What front ends such as VS Code's load by a blob's URL, where nothing can be imported relative to it."""
    with running(monkeypatch) as comms:
        show(App(), www)
    script = comms[0].state["_esm"]
    assert re.findall(r"(?:^|[;}\n])\s*import\b", script) == []  # its words in templates and selectors are none
    assert len(re.findall(r"(?:^|[;}\n])\s*export\s*\{", script)) == 1
    assert re.search(r"export\s*\{\s*\w+ as default\s*\};?\s*$", script)
    for word in (r"\beval\(", r"\bFunction\(", "new Worker", "WebAssembly", r"\bimport\("):
        assert re.search(word, script) is None, word
