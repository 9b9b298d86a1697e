"""An App with an application thread of its own, and a method that blocks it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import wslink
from wslink import App, Call

SOON = 0.05
"""Seconds within which what does not need the application arrives while that is busy."""
TRIES = 5
"""How often that is tried, so that a machine that is busy itself may be late."""
HELLO = {"secret": "secret"}


class Running:
    """An App that is served from a thread of its own, as `App.run` serves it from the main one."""

    def __init__(self, app: App, **settings: Any) -> None:
        self.app = app
        self.error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self.server: wslink.Server
        self._settings = {"port": 0, "host": "127.0.0.1", "ready_msg": "", "application_thread": True, **settings}
        self._ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        try:
            self.loop = asyncio.get_running_loop()
            self.server = await self.app.serve(**self._settings)
        except BaseException as error:
            self.error = error
            return
        finally:
            self._ready.set()
        await self.server.wait_closed()
        await self.server.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/ws"

    def __enter__(self) -> Running:
        self.thread.start()
        assert self._ready.wait(10)
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AttributeError, RuntimeError):  # it never began, or has ended
            self.loop.call_soon_threadsafe(self.server.stop_soon)
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert not any(thread.name == "wslink_io" for thread in threading.enumerate())


class Blocker:
    """A method that blocks the application's thread until it is told otherwise, as native code that lets go of the
    GIL does."""

    def __init__(self, app: App) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.call: Call | None = None
        app.method("test.block")(self.block)

    def block(self, call: Call) -> str:
        self.call = call
        self.began.set()
        return "free" if self.go_on.wait(10) else "forgotten"

    @contextlib.asynccontextmanager
    async def blocked(self, link: wslink.Link) -> AsyncIterator[asyncio.Task[Any]]:
        """Inside, the application is busy with a call of `link`."""
        calling = asyncio.create_task(link.call("test.block"))
        await asyncio.to_thread(self.began.wait, 5)
        try:
            yield calling
        finally:
            self.go_on.set()
            await asyncio.gather(calling, return_exceptions=True)
