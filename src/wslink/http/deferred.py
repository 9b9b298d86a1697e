"""The part of a server that answers requests other than WebSockets, using aiohttp, which is loaded on demand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from wslink.http.acceptor import Complaints
from wslink.http.fast_path import Adopter
from wslink.lazy import load_in_thread

if TYPE_CHECKING:
    from wslink.http.serving import Serving

logger: logging.Logger = logging.getLogger("wslink.http")

MODULE = "wslink.http.serving"
"""The module that imports aiohttp's server, which takes as long as all the rest of a start."""


class Deferred:
    """Creates a Serving at the first request that needs it. aiohttp is imported in a thread, so that WebSockets are
    served in the meantime.

    Args:
        make: creates it, after its module has been imported.
        endpoints: serve WebSockets before that.

    Attributes:
        loaded: whether it can serve.
    """

    def __init__(self, make: Callable[[], Serving], endpoints: Iterable[Adopter]) -> None:
        self._make = make
        self._endpoints = tuple(endpoints)
        self._made: Serving | None = None
        self.loaded: bool = False
        self._loading: asyncio.Task[None] | None = None
        self._failed = False
        self._failures = Complaints()
        self._guard = threading.RLock()  # the compatibility API asks for it from the application's thread

    @property
    def serving(self) -> Serving:
        """What serves, or is going to."""
        with self._guard:
            if self._made is None:
                self._made = self._make()
            return self._made

    def protocol(self) -> asyncio.Protocol | None:
        """aiohttp's protocol for a connection; None if it is not loaded."""
        return self.serving.protocol() if self.loaded else None

    def load(self) -> asyncio.Future[None]:
        """Start loading, unless that has begun. The returned future is done when loading has succeeded or failed."""
        if self._loading is None or (self._loading.done() and not self.loaded):
            self._loading = asyncio.get_running_loop().create_task(self._load())
        return self._loading

    async def start(self) -> None:
        """Load it now."""
        await self.serving.start()
        self.loaded = True

    async def _load(self) -> None:
        try:
            if MODULE not in sys.modules:
                await _in_a_thread(load_in_thread, MODULE)
            if not self.loaded:
                await self.start()
        except Exception as error:
            if self._failed:  # each request tries again: one traceback says enough
                self._failures.warning("HTTP requests cannot be answered: %r", error)
            else:
                self._failed = True
                logger.exception("HTTP requests cannot be answered")

    async def stop_listening(self) -> None:
        """Forget the listening sockets."""
        if self._made is not None:
            await self._made.stop_listening()

    async def stop(self) -> None:
        """End running requests."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        if not self.loaded:
            for endpoint in self._endpoints:
                await endpoint.shut_down()
        if self._made is not None:
            await self._made.stop()


async def _in_a_thread(function: Callable[[str], object], argument: str) -> None:
    """Call a function in a new thread: the application may be using all threads of the event loop's pool."""
    own = concurrent.futures.ThreadPoolExecutor(1)
    try:
        await asyncio.get_running_loop().run_in_executor(own, function, argument)
    finally:
        own.shutdown(wait=False)
