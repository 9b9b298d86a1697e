"""Methods: functions that clients may call, with their arguments checked against type hints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wslink.errors import MethodNotFound, UsageError
from wslink.rpc.call import Call
from wslink.rpc.schema import Signature
from wslink.wire.messages import is_method_name

NEVER_AWAITABLE = frozenset((type(None), bool, int, float, str, bytes, list, dict, tuple))
"""Types of results that are looked at no further."""


class Method:
    """A function under a name.

    Args:
        name: dot-separated; each part matches `^[a-z][a-z0-9_]*$` (MSG-5).
        function: sync or async. What it returns is the result.
        thread: run it in the server's thread pool instead of on the event loop's thread.
        checked: check arguments against its signature and type hints. Software of the released API is called unchecked.

    Raises:
        UsageError: for a name or a signature that cannot be served.
    """

    def __init__(self, name: str, function: Callable[..., Any], *, thread: bool = False, checked: bool = True) -> None:
        if not is_method_name(name):
            raise UsageError(
                f"method name {name!r}: dot-separated parts, each of a-z, 0-9 and _ and beginning with a letter"
            )
        if thread and inspect.iscoroutinefunction(function):
            raise UsageError(f"method {name!r} is async: thread=True is for functions that block")
        self.name = name
        self.function = function
        self.thread = thread
        self._signature = Signature(name, function) if checked else None

    def bind(self, args: list[Any], kwargs: dict[str, Any], call: Call) -> tuple[Sequence[Any], dict[str, Any]]:
        """The arguments to call `function` with.

        Raises:
            InvalidParams: naming the argument that is wrong and what is allowed.
        """
        if self._signature is None:
            return args, kwargs
        return self._signature.bind(args, kwargs, call)


class Methods(Mapping[str, Method]):
    """The methods of a server, by name."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def __getitem__(self, name: str) -> Method:
        return self._methods[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)

    def add(self, method: Method, replace: bool = False) -> None:
        """Register `method`.

        Raises:
            UsageError: if its name is taken and `replace` is false.
        """
        if method.name in self._methods and not replace:
            raise UsageError(f"method {method.name!r} is registered already")
        self._methods[method.name] = method

    def find(self, name: str) -> Method:
        """The method called `name`. Raises MethodNotFound."""
        try:
            return self._methods[name]
        except KeyError:
            raise MethodNotFound("Unregistered method called", name) from None
