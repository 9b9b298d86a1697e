"""Resolution of a function's type hints, wherever it was defined."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing

from wslink.rpc.call import Call
from wslink.rpc.converters import Hint


def resolve(function: Hint) -> tuple[dict[str, Hint], list[str]]:
    """Return the type hints of a function's parameters by name, and the names of those that cannot be resolved."""
    target = inspect.unwrap(target_of(function))
    names = {"Call": Call, "wslink": sys.modules["wslink"], **getattr(target, "__globals__", {}), **_locals_of(target)}
    hints: dict[str, Hint] = {}
    lost: list[str] = []
    for parameter, annotation in {**getattr(target, "__annotations__", {}), **_of_signature(function)}.items():
        holder = types.SimpleNamespace(__annotations__={parameter: annotation})
        try:
            hints.update(typing.get_type_hints(holder, names, include_extras=True))
        except Exception:
            lost.append(parameter)
    return hints, lost


def _of_signature(function: Hint) -> dict[str, Hint]:
    """The annotations of a signature that a decorator gave to its wrapper (`__signature__`)."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # which its registration says
        return {}
    said = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    said["return"] = signature.return_annotation
    return {name: annotation for name, annotation in said.items() if annotation is not inspect.Parameter.empty}


def target_of(function: Hint) -> Hint:
    """Return the function that has the type hints: of a partial, a callable object, or a class."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):
        return function.__init__ if function.__init__ is not object.__init__ else function.__new__
    function = getattr(function, "__func__", function)
    if not inspect.isroutine(function) and not hasattr(function, "__wrapped__") and callable(function):
        return target_of(type(function).__call__)
    return function


def _locals_of(target: Hint) -> dict[str, Hint]:
    """The local names of the function in which `target` is being defined, as in tests."""
    code, frame = getattr(target, "__code__", None), inspect.currentframe()
    while frame is not None and code is not None:
        if code in frame.f_code.co_consts:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}
