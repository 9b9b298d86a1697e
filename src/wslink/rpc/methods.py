"""Methods: functions that the other end may call, with arguments checked against type hints."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from wslink.errors import MethodError, UsageError
from wslink.rpc.call import Call
from wslink.rpc.converters import Unsupported
from wslink.rpc.description import problems, result_hint
from wslink.rpc.hints import checkable
from wslink.rpc.interceptors import Function, Interceptor, compose
from wslink.rpc.priority import Priority, lane_of
from wslink.rpc.resolution import target_of
from wslink.rpc.results import checking, checking_items
from wslink.rpc.schema import Signature
from wslink.rpc.streaming import awaitable, streaming
from wslink.rpc.suggest import Suggestions
from wslink.wire.messages import is_method_name
from wslink.wire.show import shown

logger: logging.Logger = logging.getLogger("wslink")

MAX_NAME = 1024
"""Characters of an unknown method's name that are sent back to the caller."""
NEVER_AWAITABLE = frozenset((type(None), bool, int, float, str, bytes, list, dict, tuple))
"""Types of results that need not be checked for being awaitable."""

Run = Literal["loop", "thread", "main"]
RUNS = ("loop", "thread", "main")


Check = Callable[["list[Any]", "dict[str, Any]", Call], "tuple[Sequence[Any], dict[str, Any]]"]
"""Returns the arguments to call a method with; see Signature.bind."""


class Method:
    """A function with a name.

    Args:
        name: dot-separated; each part matches `^[a-z][a-z0-9_]*$` (MSG-5).
        function: sync or async. It returns the result, or yields the items of a stream.
        run: where it runs: "main" (the default), the application's thread; "loop", the thread that serves clients;
            "thread", a thread pool, in which async functions cannot run.
        checked: check arguments against the signature and the type hints. The compatibility API's methods are not
            checked.
        interceptors: see rpc.interceptors; the first is called first.
        detached: let calls continue after their client has gone. They are cancelled otherwise.
        latest: run one call per client at a time, and of the waiting ones only the newest (TURN-5).
        priority: of its results among the messages that wait for a client; by default it depends on their size
            (LANE-2).
        errors: the errors that it declares: subclasses of MethodError, each with its own code.

    Attributes:
        function: the function to call, including interceptors.
        signature: its parameters, its result and its streams; None if `checked` is false.
        streams: whether its results are a stream (STR-1).
        streaming: whether it streams its results, or accepts streams as arguments.
        check: converts the arguments of a call to those for `function`, and raises InvalidParams; None if they are not
            checked.
        plain_types: the types of positional arguments that need no check; None if all have to be checked.
        errors: the errors that it declares.
        doc: its docstring.

    Raises:
        UsageError: the name or the signature is not valid.
    """

    def __init__(
        self,
        name: str,
        function: Function,
        *,
        run: Run | None = None,
        checked: bool = True,
        interceptors: Iterable[Interceptor] = (),
        detached: bool = False,
        priority: Priority | None = None,
        errors: Iterable[type[MethodError]] = (),
        latest: bool = False,
    ) -> None:
        _check_name_and_run(name, function, run)
        signature = Signature(name, function) if checked else None
        if signature is not None and (signature.streams or signature.stream_parameters):
            _check_streaming(name, function, signature, run, detached, latest)
        self.signature: Signature | None = signature
        self.streams: bool = signature is not None and signature.streams
        self.streaming: bool = self.streams or (signature is not None and bool(signature.stream_parameters))
        self.name = name
        chosen: Run = run or "main"
        self.run: Run = "loop" if self.streams else chosen
        self.detached: bool = detached
        self.latest: bool = latest
        self.lane: int | None = lane_of(f"method {name!r}", priority)
        self.function: Function = compose(
            name, streaming(function, run or "main") if self.streams else function, interceptors
        )
        self.check: Check | None = signature.bind if signature is not None else None
        if signature is not None and signature.stream_parameters:
            self.check = signature.bind_streams
        if self.streaming:
            self.function = awaitable(self.function)
        self.plain_types: tuple[type, ...] | None = signature.plain_types if signature is not None else None
        self.errors: tuple[type[MethodError], ...] = declared(name, errors)
        self.doc: str = inspect.getdoc(target_of(function)) or ""
        self._bare: Function = self.function
        for problem in problems(signature) if signature is not None else ():
            logger.warning("method %s cannot be described: %s", name, problem)

    def surround(self, check_results: bool, interceptors: Iterable[Interceptor]) -> None:
        """Check results against the return hint, in debug mode, and wrap the function in `interceptors`. Replaces what
        a previous call of this method has added."""
        function = self._bare
        if check_results and self.signature is not None and "return" in self.signature.hints:
            with contextlib.suppress(Unsupported):  # it was reported when the method was registered
                around = checking_items if self.streams else checking
                hint = self.signature.item if self.streams else result_hint(self.signature)
                function = around(self.name, function, checkable(hint))
        self.function = compose(self.name, function, interceptors)


def check_name(name: object) -> None:
    """Raise UsageError for an invalid name, such as the function of a decorator without its parentheses."""
    if callable(name):
        raise UsageError(f'{name!r} stands where the method\'s name has to: write @app.method("a.b")')
    if not isinstance(name, str) or not is_method_name(name):
        raise UsageError(
            f"method name {name!r}: dot-separated parts, each of a-z, 0-9 and _ and beginning with a letter"
        )


def _check_name_and_run(name: str, function: Function, run: Run | None) -> None:
    """Raise UsageError for an invalid name or `run`."""
    check_name(name)
    if run not in (None, *RUNS):
        raise UsageError(f"method {name!r}: run is {run!r}; one of {', '.join(RUNS)}")
    if run == "thread" and inspect.iscoroutinefunction(target_of(function)):
        raise UsageError(f"method {name!r} is async: thread=True is for functions that block")


def declared(name: str, errors: Iterable[type[MethodError]]) -> tuple[type[MethodError], ...]:
    """Check the errors that the method `name` declares.

    Raises:
        UsageError: one is not a subclass of MethodError, or two have the same code or name.
    """
    found = tuple(errors)
    for one in found:
        if not (isinstance(one, type) and issubclass(one, MethodError)):
            raise UsageError(f"method {name!r}: errors: {one!r} is not a subclass of MethodError")
    for key in ({one.code for one in found}, {one.__name__ for one in found}):
        if len(key) < len(found):
            raise UsageError(f"method {name!r}: errors: each has a code and a name of its own")
    return found


class Methods(dict[str, Method]):
    """The methods of one end of a connection, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[str | None, int] = {}
        """The lanes of methods with a priority (LANE-2)."""
        self.revision: int = 0
        """Changes with every registration."""
        self._suggestions: Suggestions | None = None
        self._check_results = False
        self._interceptors: list[Interceptor] = []

    def check_results(self, on: bool) -> None:
        """Enable or disable the check of results, including methods that are added later (debug mode)."""
        self._check_results = on
        self._surround()

    def intercept(self, interceptor: Interceptor) -> None:
        """Wrap every method in `interceptor`, including those that are added later. It becomes the outermost one."""
        self._interceptors.insert(0, interceptor)
        self._surround()

    def _surround(self) -> None:
        for method in self.values():
            method.surround(self._check_results, self._interceptors)

    def add(self, method: Method, replace: bool = False) -> None:
        """Register `method`.

        Raises:
            UsageError: its name is taken and `replace` is false.
        """
        if method.name in self and not replace:
            raise UsageError(f"method {method.name!r} is registered already")
        self[method.name] = method
        self.revision += 1
        method.surround(self._check_results, self._interceptors)
        self.lanes.pop(method.name, None)
        if method.lane is not None:
            self.lanes[method.name] = method.lane
        self._suggestions = None

    def hint(self, name: str) -> str:
        """The text after "Unregistered method called": the name, and a similar one if there is one."""
        if self._suggestions is None:
            self._suggestions = Suggestions(self)
        near = self._suggestions.near(name)
        return f": {shown(name)}" + (f"; did you mean {near}?" if near else "")


def _check_streaming(
    name: str, function: Function, signature: Signature, run: Run | None, detached: bool, latest: bool
) -> None:
    """Raise UsageError for a method with streams that cannot be served."""
    target = target_of(function)
    if signature.streams and inspect.isgeneratorfunction(target) and run in (None, "loop"):
        raise UsageError(f"method {name!r} is a generator: make it an async one, or give it run='thread'")
    if signature.stream_parameters and not (signature.streams or inspect.iscoroutinefunction(target)):
        raise UsageError(f"method {name!r} takes a stream, and so has to be async")
    if signature.stream_parameters and inspect.isgeneratorfunction(target):
        raise UsageError(f"method {name!r} takes a stream, and so has to be an async generator")
    if signature.streams and run == "thread" and not inspect.isgeneratorfunction(target):
        raise UsageError(f"method {name!r} is an async generator: run={run!r} is for functions that block")
    if detached:
        raise UsageError(f"method {name!r} has streams, which end with their client: it cannot be detached")
    if latest:
        raise UsageError(f"method {name!r} has streams: latest=True is for methods that return their result")


def run_of(run: Run | None, thread: bool) -> Run | None:
    """Where a method with these options runs. `thread=True` is an alias of `run="thread"`. Raises UsageError if they
    contradict each other."""
    if thread and run not in (None, "thread"):
        raise UsageError(f"thread=True and run={run!r} contradict each other")
    return "thread" if thread else run
