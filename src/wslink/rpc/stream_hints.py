"""Type hints of streams: of parameters that accept one, and of the results of methods that stream."""

from __future__ import annotations

import inspect
import typing
from collections import abc
from collections.abc import Callable
from typing import Any

from wslink.rpc.converters import UNIONS, Hint, converter, origin_of
from wslink.rpc.resolution import target_of
from wslink.wire.extensions import read_stream_key
from wslink.wire.value import Value

_ASYNC = (abc.AsyncIterator, abc.AsyncIterable)
_ASYNC_RESULTS = (*_ASYNC, abc.AsyncGenerator)
_RESULTS = (*_ASYNC_RESULTS, abc.Iterator, abc.Iterable, abc.Generator)


class StreamArgument:
    """An argument that is a stream.

    Attributes:
        key: identifies it among the streams of its call.
    """

    __slots__ = ("key",)

    def __init__(self, key: int) -> None:
        self.key: int = key


def _stream_argument(value: Value) -> Value:
    key = read_stream_key(value)
    if key is None:
        raise ValueError(f"Expected a stream, got `{type(value).__name__}`")
    return StreamArgument(key)


_STREAM: Hint = converter("stream", _stream_argument)


def stream_check(hint: Hint) -> Hint:
    """The type that checks the argument of a parameter that accepts a stream."""
    return _STREAM | None if _is_optional(hint) else _STREAM


def item_of(hint: Hint) -> Hint | None:
    """The type hint of the items of a parameter that accepts a stream, possibly optional; None for any other
    parameter."""
    hint = _bare(hint)
    if hint in _ASYNC or origin_of(hint) in _ASYNC:
        return typing.get_args(hint)[0] if typing.get_args(hint) else Any
    return None


def _is_optional(hint: Hint) -> bool:
    """Whether None is accepted instead of a stream."""
    return origin_of(hint) in UNIONS or (origin_of(hint) is typing.Annotated and _is_optional(typing.get_args(hint)[0]))


def _bare(hint: Hint) -> Hint:
    """Remove annotations and an optional None from a hint."""
    args = typing.get_args(hint)
    if origin_of(hint) is typing.Annotated:
        return _bare(args[0])
    if origin_of(hint) in UNIONS and len(args) == 2 and type(None) in args:
        return _bare(args[args.index(type(None)) - 1])
    return hint


def is_async_stream(function: Callable[..., Value], returned: Hint) -> bool:
    """Whether a method is an async generator, or returns one."""
    return inspect.isasyncgenfunction(target_of(function)) or origin_of(returned) in _ASYNC_RESULTS


def streams(function: Callable[..., Value], returned: Hint) -> bool:
    """Whether a method streams its results."""
    return is_async_stream(function, returned) or inspect.isgeneratorfunction(target_of(function))


def result_item(returned: Hint) -> Hint:
    """The type hint of the items of the stream that a method returns."""
    args = typing.get_args(returned)
    return args[0] if origin_of(returned) in _RESULTS and args else Any
