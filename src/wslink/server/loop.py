"""The event loop that `App.run` uses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from wslink import settings as environment
from wslink.errors import UsageError
from wslink.hub.pool import DaemonPool, default_threads
from wslink.hub.work import finish

logger: logging.Logger = logging.getLogger("wslink")

NOTEBOOK = (
    "an event loop runs here already, as in a notebook: write `server = await app.serve(...)` there, "
    "and `await server.stop()` to end it"
)

LOADING = (
    'the module calls app.run() while it is imported: put that below `if __name__ == "__main__":`, so that it runs for '
    "`python FILE` alone"
)

_loading: ContextVar[bool] = ContextVar("loading", default=False)


@contextmanager
def importing() -> Iterator[None]:
    """Refuse `App.run` while a command imports an application's module: the import would never return."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)


NO_THREAD = (
    "{} carries clients on the application's own event loop, and cannot follow application_thread: App.run, App.serve, "
    "`wslink serve`, and the aiohttp backend of the compatibility API do"
)


def warn_of_thread(who: str) -> None:
    """Log that `who` ignores WSLINK_APPLICATION_THREAD, if that is set."""
    if environment.read("WSLINK_APPLICATION_THREAD", bool, False):
        logger.warning(NO_THREAD.format(who))


def run(main: Callable[[], Coroutine[Any, Any, None]], loop: str, stop_timeout: float) -> None:
    """Run `main()` on a new event loop: "asyncio" or "uvloop".

    Unlike `asyncio.run`, it returns `stop_timeout` seconds after `main()` at the latest, even if tasks swallow their
    cancellation or functions are still running in threads.

    Raises:
        UsageError: uvloop is not installed, or an event loop is running already.
    """
    refuse_running_loop()
    chosen = make(loop)
    try:
        asyncio.set_event_loop(chosen)
        chosen.set_default_executor(DaemonPool(default_threads()))
        chosen.run_until_complete(main())
    finally:
        finish(chosen, stop_timeout)


def refuse_running_loop() -> None:
    """Raise UsageError if an event loop is running, or if a command is importing the module."""
    if _loading.get():
        raise UsageError(LOADING)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(NOTEBOOK)


def make(loop: str) -> asyncio.AbstractEventLoop:
    """Create an event loop. Raises UsageError if uvloop is not installed."""
    return LOOPS[loop]()


def _uvloop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError as error:
        raise UsageError('loop is "uvloop", which is not installed: pip install "wslink[uvloop]"') from error
    return uvloop.new_event_loop()


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": _uvloop}
