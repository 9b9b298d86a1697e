"""The only module that uses private names of asyncio and `socket`. tests/transport/test_private.py fails if they
change.

Separate from aiohttp's, as a server accepts connections before it loads aiohttp.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

ASGI_READ = 64 * 1024
"""Bytes of a WebSocket that an ASGI server reads at a time."""


def accepting(listener: socket.socket) -> Callable[[], tuple[int, object]]:
    """Return a function that accepts a connection and returns its descriptor and address, without the socket that
    `socket.accept` creates."""
    accept: Callable[[], tuple[int, object]] | None = getattr(listener, "_accept", None)
    if accept is not None:
        return accept

    def detached() -> tuple[int, object]:
        accepted, address = listener.accept()
        return accepted.detach(), address

    return detached


class TransportFactory:
    """Creates transports for accepted connections, like `connect_accepted_socket` but without its task, future and four
    extra turns of the event loop.

    To asyncio's transport, while it is created, this is the event loop. What that schedules for the next turn, which is
    `connection_made` and beginning to read, is done at once.

    Attributes:
        works: whether the event loop is asyncio's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        make = getattr(type(loop), "_make_socket_transport", None)
        self.works: bool = make is not None and isinstance(loop, asyncio.SelectorEventLoop)
        self._loop = loop
        self._make: Any = make

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._loop, name)
        setattr(self, name, found)
        return found

    def call_soon(self, callback: Callable[..., object], *args: Any, context: object = None) -> None:
        callback(*args)

    def open(self, accepted: socket.socket, address: object, protocol: asyncio.BaseProtocol) -> None:
        """Create a transport for a connection from `address`."""
        transport = self._make(self, accepted, protocol, extra={"peername": address})
        transport._loop = self._loop


def watch_room(
    loop: asyncio.AbstractEventLoop, descriptor: int, call: Callable[[], object]
) -> Callable[[], object] | None:
    """Call `call` each time that the kernel accepts more of what a connection sends, until the returned function is
    called. The transport must have nothing to write in the meantime, which would replace this watcher. Returns None,
    without any effect, if the event loop is not asyncio's own."""
    add, remove = getattr(loop, "_add_writer", None), getattr(loop, "_remove_writer", None)
    if add is None or remove is None:
        return None
    add(descriptor, call)
    return partial(remove, descriptor)


def bound_reads(receive: object) -> None:
    """Limit how much uvicorn reads at a time from a WebSocket, whose `receive` this is. It parses everything that it
    has read, thousands of small frames, before it does anything else. No effect on other ASGI servers."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is not None and hasattr(transport, "max_size"):  # asyncio's own
        transport.max_size = ASGI_READ


def run_step(coroutine: Coroutine[Any, Any, Any], task: asyncio.Task[Any]) -> Any:
    """Run a coroutine until it waits for something, which is returned, with `task` as the current task. Raises
    StopIteration when it has ended, and what the coroutine raises."""
    loop, running = task.get_loop(), asyncio.current_task()
    if running is task:
        return coroutine.send(None)
    if running is not None:
        _leave(loop, running)
    _enter(loop, task)
    try:
        return coroutine.send(None)
    finally:
        _leave(loop, task)
        if running is not None:
            _enter(loop, running)


def _nothing(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    """Used if asyncio has other names: the current task is then the running one."""


_enter: Callable[[asyncio.AbstractEventLoop, asyncio.Task[Any]], object]
_leave: Callable[[asyncio.AbstractEventLoop, asyncio.Task[Any]], object]
_enter, _leave = (getattr(asyncio.tasks, name, _nothing) for name in ("_enter_task", "_leave_task"))
