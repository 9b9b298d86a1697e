"""Whether an application is served by several processes, each of which has clients and topics of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

WARNING = (
    "this App is served by several worker processes: what one publishes does not reach the clients of another%s. "
    "Serve it with one worker (--workers 1): calls beside each other need async methods or thread=True, not processes"
)
EACH_ITS_OWN = ", and each has a random secret of its own, which refuses their clients (App(secret=...) sets one)"

_FLAGS = ("--workers", "-w")


def is_one_of_several(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is one of several workers, as far as can be told: by the command line and the environment
    of uvicorn, gunicorn and hypercorn, and by being a process that uvicorn started."""
    arguments = sys.argv if arguments is None else arguments
    if _workers(arguments, environment) > 1:
        return True
    started = multiprocessing.parent_process() is not None and "uvicorn" in sys.modules
    return started and _workers(arguments, environment) == 0 and "--reload" not in arguments


def _workers(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The number of workers that was asked for; 0 where nobody did."""
    text = environment.get("WEB_CONCURRENCY", "")
    for index, argument in enumerate(arguments):
        name, separator, value = argument.partition("=")
        if name in _FLAGS:
            text = value if separator else "".join(arguments[index + 1 : index + 2])
    return int(text) if text.isdecimal() else 0
