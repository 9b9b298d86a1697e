"""AbstractWebApp of the released API: a server, whatever carries its connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable
from typing import Any

from wslink import settings as environment
from wslink.compat.core import event_loop
from wslink.hub.hub import Hub
from wslink.hub.life import Life
from wslink.server import loop
from wslink.server.options import Options


class AbstractWebApp:
    """A server created from a configuration. Backends override `start` and `stop`, or `_shut_down`.

    Args:
        server_config: keys are in docs/settings.md.

    Attributes:
        last_active_client_id: the client whose call ran last, or None.
    """

    def __init__(self, server_config: dict[str, Any]) -> None:
        self.last_active_client_id: str | None = None
        self._config = server_config
        self._app: Any = None
        self._life = Life(self.stop, self.timeout)
        self._outcome: BaseException | bool | None = None
        self._future: asyncio.Future[bool] | None = None
        with contextlib.suppress(RuntimeError):
            self._future = asyncio.get_running_loop().create_future()
        if server_config.get("logging_level"):
            logging.getLogger("wslink").setLevel(server_config["logging_level"])

    @property
    def config(self) -> dict[str, Any]:
        """The configuration itself."""
        return self._config

    def get_config(self) -> dict[str, Any]:
        """Like `config`; of 1.x."""
        return self._config

    def set_config(self, config: dict[str, Any]) -> None:
        """Replace the configuration; of 1.x."""
        self._config = config

    def get_last_active_client_id(self) -> str | None:
        """Like `last_active_client_id`; of 1.x."""
        return self.last_active_client_id

    @property
    def timeout(self) -> int:
        """Seconds without a client after which it stops; 0 for never, as are None and infinity."""
        seconds = float(self._config.get("timeout", 0) or 0)
        return int(seconds) if math.isfinite(seconds) else 0

    @property
    def host(self) -> str:
        """The host that it listens on; all interfaces if it is None."""
        host = self._config.get("host", "127.0.0.1")
        return "" if host is None else str(host)

    @property
    def port(self) -> int:
        """The port of the configuration; see `get_port`."""
        return int(self._config.get("port", 8080))

    @property
    def handle_signals(self) -> bool:
        return bool(self._config.get("handle_signals", True))

    @property
    def ssl_context(self) -> Any:
        return self._config.get("ssl")

    @property
    def app(self) -> Any:
        """The HTTP application, if there is one."""
        return self._app

    def get_app(self) -> Any:
        return self._app

    def set_app(self, app: Any) -> None:
        self._app = app

    @property
    def completion(self) -> asyncio.Future[bool]:
        """A future that yields True once it has stopped, or the exception if it could not start."""
        if self._future is None:
            self._future = event_loop().create_future()
            self._settle()
        return self._future

    @property
    def _completion(self) -> asyncio.Future[bool]:
        """`completion` by the name that it has in released packages, and in backends of others that are made after
        theirs."""
        return self.completion

    def get_port(self) -> int:
        """The port that it listens on; 0 if there is none."""
        return 0

    def shutdown_schedule(self) -> None:
        """Stop after `timeout`, unless a client connects."""
        self._life.await_client()

    def shutdown_cancel(self) -> None:
        """Cancel the timeout."""
        self._life.cancel_timeout()

    async def start(self, port_callback: Any = None) -> None:
        """Serve until it stops."""

    async def stop(self) -> None:
        """Stop. Safe to call more than once."""
        await self._life.end(self._stop)

    # For backends ---------------------------------------------------------------

    def _use_thread(self, hubs: Iterable[Hub]) -> None:
        """Let a separate thread serve clients if WSLINK_APPLICATION_THREAD says so. The application's methods and
        callbacks stay on the running event loop."""
        if environment.read("WSLINK_APPLICATION_THREAD", bool, False):
            chosen = environment.read_option(Options, "loop")
            timeout = environment.read_option(Options, "stop_timeout")
            self._life.serve_in_thread(lambda: loop.make(chosen), hubs, timeout)

    async def _shut_down(self) -> None:
        """Disconnect and free everything; called once."""

    async def _stop(self) -> None:
        await self._shut_down()
        self._conclude(True)

    def _conclude(self, outcome: BaseException | bool) -> None:
        """Set the result of `completion`."""
        if self._outcome is None:
            self._outcome = outcome
            self._settle()

    def _settle(self) -> None:
        """On whatever event loop it stopped."""
        if self._future is not None:
            its = self._future.get_loop()
            if its.is_running() and not _is_running_here(its):
                its.call_soon_threadsafe(self._settle_here)
            else:
                self._settle_here()

    def _settle_here(self) -> None:
        future, outcome = self._future, self._outcome
        if future is None or future.done() or outcome is None:
            return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
            future.exception()  # whoever does not look at it has seen the exception of `start`
        else:
            future.set_result(outcome)


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
