"""Running methods on other threads than the event loop's, and returning their results."""

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

logger: logging.Logger = logging.getLogger("wslink.protocol")  # by which applications silence it


class Encoding(Protocol):
    """Encodes results."""

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        """Encode a result for `Responder.result`, as far as possible. May be called from any thread."""


class Raised:
    """An exception that a function raised on another thread. Futures cannot carry every exception: StopIteration is not
    allowed."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException = error


def serve(
    responder: Encoding, call: Call, function: Function, args: Sequence[Value], kwargs: dict[str, Value]
) -> Value:
    """Run a method's function on another thread.

    Returns:
        Its result, encoded on this thread before anything can change it; its exception, as Raised; or an awaitable of
            one of these. It is ignored if the call is cancelled.
    """
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
