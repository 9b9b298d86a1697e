"""Checks of results and publications against their type hints, in debug mode."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from wslink.errors import NotSerializable, UsageError
from wslink.rpc.arrays import NO_LENGTHS, dims
from wslink.rpc.call import current_call
from wslink.rpc.converters import Hint, convert
from wslink.rpc.interceptors import Function
from wslink.wire.plain import to_plain
from wslink.wire.show import explained
from wslink.wire.value import Value


def check(what: str, value: Value, hint: Hint, lengths: Mapping[str, int] = NO_LENGTHS) -> None:
    """Check `value` in the form in which its receiver gets it.

    Args:
        what: for messages: "method 'a.b' returned", or the like.
        hint: a type hint from `checkable`.
        lengths: the lengths of symbols in shapes.

    Raises:
        UsageError: it does not match the type hint.
        NotSerializable: it cannot be encoded at all.
    """
    numpy = sys.modules.get("numpy")
    whole = (bytes, bytearray, memoryview, *(() if numpy is None else (numpy.ndarray,)))
    dims.known = lengths
    try:
        convert(msgspec.to_builtins(value, builtin_types=whole, str_keys=False, enc_hook=to_plain), hint)
    except msgspec.ValidationError as error:
        raise UsageError(f"{what} what its type does not allow: {explained(error)}") from None
    except RecursionError:
        return  # the encoder will report it


def checking(name: str, function: Function, hint: Hint) -> Function:
    """Wrap `function` so that its results are checked against `hint`."""
    what = f"method {name!r} returned"

    def look(result: Value) -> Value:
        call = current_call.get()
        check(what, result, hint, call.lengths if call is not None else NO_LENGTHS)
        return result

    async def wait(result: Any) -> Value:
        return look(await result)

    @functools.wraps(function)
    def run(*args: Value, **kwargs: Value) -> Value:
        result = function(*args, **kwargs)
        return wait(result) if inspect.isawaitable(result) else look(result)

    return run


def checking_items(name: str, function: Function, hint: Hint) -> Function:
    """Wrap `function`, which streams, so that its items are checked against `hint`."""

    @functools.wraps(function)
    async def run(*args: Value, **kwargs: Value) -> Value:
        call = current_call.get()
        lengths = call.lengths if call is not None else NO_LENGTHS

        def look(item: Value) -> None:
            try:
                check(f"method {name!r} streamed", item, hint, lengths)
            except UsageError as error:
                raise NotSerializable(str(error)) from None

        if call is not None and call.streams is not None:
            call.streams.streams.outlets[None].check = look
        return await function(*args, **kwargs)

    return run
