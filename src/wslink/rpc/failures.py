"""The errors that exceptions of methods become (ERR-2, ERR-3)."""

from __future__ import annotations

import asyncio
import contextlib
import traceback

from wslink import errors
from wslink.errors import MethodError, PeerError
from wslink.rpc.call import Call
from wslink.wire.show import as_text
from wslink.wire.value import Value

MAX_REPR = 4096
"""Characters of an exception's `repr` that are sent (ERR-2)."""


def error_of(call: Call, error: BaseException, debug: bool) -> tuple[int, str, Value]:
    """The code, message and data of the error for a call's exception. Code of the application's exception classes may
    itself raise."""
    if isinstance(error, (MethodError, PeerError)):
        with contextlib.suppress(*errors.RAISED):
            return error.code, error.message, error.data
    stopped = isinstance(error, asyncio.CancelledError)
    data = {"method": call.method, "exception": "cancelled" if stopped else _safe_repr(error)}
    if debug and not stopped:
        with contextlib.suppress(*errors.RAISED):
            data["trace"] = as_text("".join(traceback.format_exception(error)))
    return errors.EXCEPTION_ERROR, "Exception raised", data


def _safe_repr(error: BaseException) -> str:
    try:
        return as_text(repr(error)[:MAX_REPR])
    except errors.RAISED:
        return f"<{type(error).__name__}>"
