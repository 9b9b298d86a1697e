"""Stands in for a notebook's kernel: the comms of widgets that are made, and what their pages send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("anywidget", reason="the extra notebook brings it")

import comm
from comm.base_comm import BaseComm


class Comm(BaseComm):
    """A widget's comm. `messages` are the contents and buffers of what its pages get."""

    opened: list[Comm]

    def __init__(self, **options: Any) -> None:
        self.messages: asyncio.Queue[tuple[dict[str, Any], list[Any]]] = asyncio.Queue()
        self.state: dict[str, Any] = {}
        super().__init__(**options)

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        if msg_type == "comm_open":
            self.state = data["state"]
        elif msg_type == "comm_msg" and data["method"] == "custom":
            self.messages.put_nowait((data["content"], buffers or []))

    def from_page(self, content: Any, buffers: tuple[bytes, ...] = ()) -> None:
        data = {"method": "custom", "content": content}
        self.handle_msg({"content": {"data": data}, "buffers": [memoryview(buffer) for buffer in buffers]})

    async def get(self, path: str) -> tuple[int, str, bytes]:
        """A file, as a page asks for it."""
        self.from_page({"kind": "get", "view": "v", "request": 7, "path": path})
        content, (body,) = await asyncio.wait_for(self.messages.get(), 5)
        assert (content["kind"], content["view"], content["request"]) == ("file", "v", 7)
        return content["status"], content["type"], bytes(body)


@contextmanager
def running(patch: pytest.MonkeyPatch) -> Iterator[list[Comm]]:
    """The comms of the widgets that are made meanwhile, those of their layouts left out."""
    opened: list[Comm] = []

    def create(**options: Any) -> Comm:
        made = Comm(**options)
        if "_esm" in made.state:
            opened.append(made)
        return made

    patch.setattr(comm, "create_comm", create)
    yield opened
