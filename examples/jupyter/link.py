"""A link over the comm of a kernel, for any cell: from examples.jupyter.link import serve; serve("demo")"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from wslink import register, server
from wslink.websocket import LinkProtocol, ServerProtocol


class Samples(LinkProtocol):
    """Keeps the samples of a page, and tells every page how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.samples = b""

    @register("example.mean")
    def mean(self) -> float:
        return sum(self.samples) / len(self.samples)

    @register("example.append")
    def append(self, samples: bytes) -> int:
        self.samples += samples
        self.publish("example.count", len(self.samples))
        return len(samples)

    @register("example.read")
    def read(self) -> Any:
        return {"samples": self.addAttachment(self.samples)}


class Protocol(ServerProtocol):
    """The Jupyter backend asks it for its server's name, which pages put on each message."""

    def __init__(self, name: str) -> None:
        self.server = SimpleNamespace(name=name)
        super().__init__()

    def initialize(self) -> None:
        self.registerLinkProtocol(Samples())
        self.updateSecret("wslink-secret")


def serve(name: str) -> asyncio.Task[None]:
    """Serve pages that name `name` over the comm target `wslink_comm`, until the kernel or the task ends."""
    options = SimpleNamespace(host="", port=0, timeout=0, content="", nosignalhandlers=True)
    return server.start_webserver(options, lambda: Protocol(name), backend="jupyter", exec_mode="task")
