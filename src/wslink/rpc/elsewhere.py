"""Methods that run elsewhere than on the event loop that serves clients: what is run there, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Sequence
from typing import Protocol

from wslink.rpc.call import Call
from wslink.rpc.interceptors import Function
from wslink.rpc.methods import NEVER_AWAITABLE
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")


class Encoding(Protocol):
    """The encoder of results."""

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        """A result as `Responder.result` takes it, encoded now as far as it can be. From any thread."""


class Raised:
    """An exception that a function raised on another thread. Neither kind of future can carry a StopIteration."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException = error


def serve(
    responder: Encoding, call: Call, function: Function, args: Sequence[Value], kwargs: dict[str, Value]
) -> Value:
    """Run a method's function on another thread: its result, encoded there, before anything can change it; what it
    raised; or what gives one of these once it is awaited. Where the call is cancelled, nobody waits for it."""
    try:
        call.raise_if_cancelled()
        result = function(*args, **kwargs)
        if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
            return _await(responder, call, result)
        return responder.encoded(call.id, result, call.method)
    except BaseException as error:
        return _raised(call, error)


async def _await(responder: Encoding, call: Call, awaitable: Awaitable[Value]) -> Value:
    try:
        return responder.encoded(call.id, await awaitable, call.method)
    except BaseException as error:
        return _raised(call, error)


def _raised(call: Call, error: BaseException) -> Raised:
    if call.cancelled and not isinstance(error, asyncio.CancelledError):
        logger.error("method %s of client %s raised", call.method, call.client_id, exc_info=error)
    return Raised(error)
