"""The widget with which a notebook shows a page, and the page's files and connections."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
from IPython.display import display

from wslink.errors import UsageError
from wslink.http.client_files import ClientFiles
from wslink.http.static import CLIENT, StaticFiles
from wslink.server.app import App
from wslink.wire.frames import Buffer

SCRIPT = CLIENT / "notebook.js"
"""What runs in the notebook's page."""
MAX_FILE = 64 * 1024 * 1024
"""Bytes of a file of the page, beyond which it is refused: it goes over the kernel's channel as one message."""
OWN = "wslink/"
"""The path below which a server has the JavaScript client."""
INSTEAD = "A page of wslink, which is here while its kernel runs. Run this cell to see it."
"""What stands where no page can be: in a notebook that is opened again, printed or converted."""


class PageWidget(anywidget.AnyWidget):
    """A widget that is described by a sentence for readers, where front ends show that."""

    def __repr__(self) -> str:
        return INSTEAD


class Page:
    """A page below a cell; see `wslink.notebook.show`.

    Raises:
        UsageError: there is no running event loop, or `content` is not a directory.
    """

    def __init__(self, app: App, content: str | Path, height: int) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise UsageError("wslink.notebook.show() is for a cell of a notebook, where an event loop runs") from None
        self._files = StaticFiles(content)
        self._client = ClientFiles(CLIENT)
        self._endpoint = app.over_comm(self._send)
        layout = {"height": f"{height}px", "width": "100%"}
        self._widget: Any = PageWidget(_esm=SCRIPT.read_text(), layout=layout)
        self._widget.on_msg(self._received)

    def display(self) -> None:
        display(self._widget)  # type: ignore[no-untyped-call]

    def _send(self, content: dict[str, Any], buffers: list[Buffer]) -> None:
        if self._widget.comm is not None:
            self._widget.send(content, buffers)

    def _received(self, widget: object, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> None:
        """Handle a message from a page, on the kernel's thread for comms."""
        self._loop.call_soon_threadsafe(self._take, content, [bytes(buffer) for buffer in buffers])

    def _take(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        if not isinstance(content, Mapping):
            return
        kind, view = content.get("kind"), content.get("view")
        if kind == "get":
            self._send(*self._file(view, content.get("request"), str(content.get("path", ""))))
        elif kind == "ping":
            self._send({"kind": "pong", "view": view}, [])
        else:
            self._endpoint.take(content, buffers)

    def _file(self, view: object, request: object, path: str) -> tuple[dict[str, Any], list[Buffer]]:
        """Respond to a page's request for a file, relative to `content`."""
        status, type_, body = self._read(path)
        answer = {"kind": "file", "view": view, "request": request, "status": status, "type": type_}
        return answer, [body]

    def _read(self, path: str) -> tuple[int, str, bytes]:
        if path.startswith(OWN):
            answer = self._client.answer(path.removeprefix(OWN), {})
            return answer.status, answer.headers["Content-Type"], answer.body
        found = self._files.find(path)
        if found is None:
            return 404, "text/plain", b"Not found\n"
        if found.stat().st_size > MAX_FILE:
            return 413, "text/plain", f"a file of a notebook's page has at most {MAX_FILE} bytes\n".encode()
        return 200, mimetypes.guess_type(found.name)[0] or "application/octet-stream", found.read_bytes()
