"""Outgoing calls that wait for their responses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from numbers import Real

from wslink.errors import CLIENT_ERROR, CallError, UsageError
from wslink.wire.show import shown
from wslink.wire.value import Value

MAX_MESSAGE = 4096
"""Characters of an error's message that are kept: it may be as large as a message of the other end."""


class PendingCalls:
    """The calls of one end that the other has not responded to, by id."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Value]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ids(self) -> list[str]:
        """The ids of all pending calls."""
        return list(self._waiting)

    def waits(self, id_: str) -> bool:
        """Whether a call is still waiting for its response."""
        response = self._waiting.get(id_)
        return response is not None and not response.done()

    def add(self, id_: str) -> asyncio.Future[Value]:
        """Return a future of the result of a call that is about to be sent. Call `discard` when it is no longer
        needed."""
        response = self._waiting[id_] = asyncio.get_running_loop().create_future()
        return response

    def discard(self, id_: str) -> None:
        """Forget a call. Its response will be ignored."""
        response = self._waiting.pop(id_, None)
        if response is not None and response.done() and not response.cancelled():
            response.exception()  # mark it as retrieved, in case sending has failed

    def settle(self, id_: str, message: Mapping[str, Value]) -> bool:
        """Handle a response. Returns whether a call was waiting for it."""
        response = self._waiting.get(id_)
        if response is None or response.done():
            return False
        error = message.get("error")
        if error is None:
            response.set_result(message.get("result"))
        else:
            response.set_exception(call_error(error))
        return True

    def reject(self, id_: str, error: Exception) -> bool:
        """Fail one call. Returns whether it was waiting."""
        response = self._waiting.get(id_)
        if response is None or response.done():
            return False
        response.set_exception(error)
        return True

    def fail(self, error: Exception) -> None:
        """Fail all pending calls: the connection has ended."""
        for response in self._waiting.values():
            if not response.done():
                response.set_exception(error)


def call_error(error: Value) -> CallError:
    """Convert a response's `error` to an exception, whatever the other end sent."""
    if not isinstance(error, dict):
        return CallError(CLIENT_ERROR, f"the response is an error that is not a map: {shown(error)}")
    code, message = error.get("code"), error.get("message")
    text = message[:MAX_MESSAGE] if isinstance(message, str) else shown(message)
    return CallError(code if isinstance(code, int) else CLIENT_ERROR, text, error.get("data"))


def check_timeout(timeout: object) -> None:
    """Raise UsageError unless `timeout` is None or a number of seconds, 0 or more."""
    if timeout is not None and not (isinstance(timeout, Real) and float(timeout) >= 0):
        raise UsageError(f"timeout must be a number of seconds, 0 or more, or None, not {timeout!r:.100}")
