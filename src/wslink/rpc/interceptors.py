"""Functions that wrap methods. They are composed when a method is registered, so that a call without interceptors costs
nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from wslink import errors

Function = Callable[..., Any]
Interceptor = Callable[[str, Function], Function]
"""Takes a method's name and the function that serves it (sync or async), and returns a function with the same
parameters to call instead. It may await, time, count, log or refuse; `current_call` holds the call."""


def compose(name: str, function: Function, interceptors: Iterable[Interceptor]) -> Function:
    """Wrap `function` in `interceptors`, of which the first is called first."""
    for interceptor in reversed(tuple(interceptors)):
        function = interceptor(name, function)
    return function


def status_of(error: BaseException) -> str:
    """The error code that the caller receives for an exception of a method (ERR)."""
    if isinstance(error, asyncio.CancelledError):
        return str(errors.CANCELLED)
    code = getattr(error, "code", None) if isinstance(error, errors.WslinkError) else None
    return str(errors.as_code(code))
