"""Worker processes: whether an application has several, and a worker's reports to its supervisor."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from wslink.http.listen import INHERITED

SOCKETS = INHERITED
CONTROL = "WSLINK_WORKER_CONTROL"
"""The variable with the descriptor of a socket to the supervisor: a worker sends its URL when it is ready, and stops
when the other end is closed."""
SECRET = "WSLINK_WORKERS_SECRET"  # noqa: S105 - its name
"""The variable with the secret that workers have in common unless the application sets one."""

WARNING = (
    "this App is served by several worker processes: what one publishes does not reach the clients of another%s. "
    "Serve it with one worker (--workers 1): calls beside each other need async methods or thread=True, not processes"
)
EACH_ITS_OWN = ", and each has a random secret of its own, which refuses their clients (App(secret=...) sets one)"

_FLAGS = ("--workers", "-w")
_JOINED = re.compile(r"-w[0-9]{1,4}")


def is_one_of_several(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is one of several workers, as far as it can be determined: from the command line and the
    environment of uvicorn, gunicorn and hypercorn, and from being a child process of uvicorn."""
    arguments = sys.argv if arguments is None else arguments
    if _workers(arguments, environment) > 1:
        return True
    processes = sys.modules.get("multiprocessing")  # loaded in every process that it has started
    started = processes is not None and processes.parent_process() is not None and "uvicorn" in sys.modules
    reloads = "--reload" in arguments or "UVICORN_RELOAD" in environment
    return started and _workers(arguments, environment) == 0 and not reloads


def _workers(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The number of workers that was asked for; 0 if it is not known."""
    text = environment.get("WEB_CONCURRENCY", "")
    given = [*environment.get("GUNICORN_CMD_ARGS", "").split(), *arguments]
    for index, argument in enumerate(given):
        name, separator, value = argument.partition("=")
        if name in _FLAGS:
            text = value if separator else "".join(given[index + 1 : index + 2])
        elif _JOINED.fullmatch(argument):
            text = argument[2:]
    return int(text) if text.isdecimal() else 0


def shared_secret() -> str:
    """The secret that the supervisor chose for all workers; "" if there is none."""
    return os.environ.get(SECRET, "")


def is_supervised() -> bool:
    """Whether a supervisor started this process."""
    return CONTROL in os.environ


def report_ready(url: str, stop: Callable[[], object]) -> None:
    """Report to the supervisor that this worker is serving, and call `stop` when the supervisor has gone. Call it in
    the running event loop."""
    control = socket.socket(fileno=int(os.environ.pop(CONTROL)))
    control.setblocking(False)
    control.send(url.encode())
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(control)
        control.close()
        stop()

    loop.add_reader(control, closed)
