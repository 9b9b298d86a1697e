"""Functions that stand around methods, composed when a method is registered: a call without any costs nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from wslink import errors

Function = Callable[..., Any]
Interceptor = Callable[[str, Function], Function]
"""From a method's name and the function that serves it (sync or async) to what is called in its place, with the same
arguments. It may await, time, count, log or refuse; `current_call` holds the call."""


def compose(name: str, function: Function, interceptors: Iterable[Interceptor]) -> Function:
    """`function` inside `interceptors`, of which the first is called first."""
    for interceptor in reversed(tuple(interceptors)):
        function = interceptor(name, function)
    return function


def status_of(error: BaseException) -> str:
    """The code that a caller gets for what a method raised (ERR)."""
    if isinstance(error, asyncio.CancelledError):
        return str(errors.CANCELLED)
    code = getattr(error, "code", None) if isinstance(error, errors.WslinkError) else None
    return str(errors.as_code(code))
