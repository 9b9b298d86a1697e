"""The one place that uses names which asyncio and `socket` do not promise. tests/transport/test_private.py notices when
they move. Apart from aiohttp's, as a server accepts connections before it has loaded that."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

ASGI_READ = 64 * 1024
"""Bytes of a WebSocket that an ASGI server reads at a time."""


def accepting(listener: socket.socket) -> Callable[[], tuple[int, object]]:
    """What accepts a connection and returns its descriptor and address, as `socket.accept` does, which makes a socket
    around them."""
    accept: Callable[[], tuple[int, object]] | None = getattr(listener, "_accept", None)
    if accept is not None:
        return accept

    def detached() -> tuple[int, object]:
        accepted, address = listener.accept()
        return accepted.detach(), address

    return detached


def open_transport(
    loop: asyncio.AbstractEventLoop, accepted: socket.socket, protocols: Callable[[], asyncio.BaseProtocol]
) -> bool:
    """Let the event loop carry an accepted connection, as its `connect_accepted_socket` does, for which that takes a
    task, a future and three more turns. False, and nothing has happened, where the loop is not asyncio's own."""
    make = getattr(loop, "_make_socket_transport", None)
    if make is None:
        return False
    make(accepted, protocols())
    return True


def watch_room(
    loop: asyncio.AbstractEventLoop, descriptor: int, call: Callable[[], object]
) -> Callable[[], object] | None:
    """Call `call` each time that the kernel takes more of what a connection sends, until what is returned is called.
    Its transport must have nothing to write meanwhile, which would take this one's place. None, and nothing has
    happened, where the loop is not asyncio's own."""
    add, remove = getattr(loop, "_add_writer", None), getattr(loop, "_remove_writer", None)
    if add is None or remove is None:
        return None
    add(descriptor, call)
    return partial(remove, descriptor)


def bound_reads(receive: object) -> None:
    """Let an ASGI server read less at a time of a WebSocket, whose `receive` this is, where that is uvicorn's: it takes
    apart all that it has read, small frames by the thousand, before it does anything else."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is not None and hasattr(transport, "max_size"):  # asyncio's own
        transport.max_size = ASGI_READ


def run_step(coroutine: Coroutine[Any, Any, Any], task: asyncio.Task[Any]) -> Any:
    """Run a coroutine up to what it waits for, which is returned, as `task`: whatever asks for the task that runs gets
    that. Raises StopIteration when it has ended, and what it raises."""
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
    """Where asyncio has other names, what asks for its task gets the one that runs."""


_enter: Callable[[asyncio.AbstractEventLoop, asyncio.Task[Any]], object]
_leave: Callable[[asyncio.AbstractEventLoop, asyncio.Task[Any]], object]
_enter, _leave = (getattr(asyncio.tasks, name, _nothing) for name in ("_enter_task", "_leave_task"))
