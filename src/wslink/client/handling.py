"""The functions of a client that the server may call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from wslink.client.handlers import Handlers
from wslink.rpc.interceptors import Function
from wslink.rpc.methods import Method, Run
from wslink.rpc.redefinition import may_replace

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Handling:
    """The part of a Link that concerns handlers. See Link."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    @overload
    def handle(self, name: str, function: Function, *, run: Run = "loop") -> Callable[[], None]: ...
    @overload
    def handle(self, name: str, *, run: Run = "loop") -> Callable[[FunctionT], FunctionT]: ...
    def handle(self, name: str, function: Function | None = None, *, run: Run = "loop") -> Any:
        """Let the server call a function, sync or async: `await app.clients[id].call(name, ...)`.

        Arguments are checked against its type hints; a parameter annotated `Call` receives the call. MethodError
        chooses the error. An async function gets CancelledError when the server gives its call up. Functions that the
        server may want at once are given to `connect`.

        Args:
            name: dot-separated; each part matches `^[a-z][a-z0-9_]*$`.
            run: where a sync function runs: "loop", the event loop's thread, or "thread", a thread.

        Returns:
            A function that ends this; without `function`, a decorator.

        Raises:
            UsageError: for a bad name, one that is taken (except in a notebook), and hints that cannot be checked.
        """
        if function is None:
            return functools.partial(self._handle, name, run)
        method = Method(name, function, run=run)
        self._handlers.add(method, replace=may_replace(function))
        return functools.partial(self._handlers.remove, method)

    def _handle(self, name: str, run: Run, function: FunctionT) -> FunctionT:
        self.handle(name, function, run=run)
        return function
