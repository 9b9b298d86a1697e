"""Histograms of how long calls wait and run, at almost no cost to small calls."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from wslink.errors import METHOD_NOT_FOUND
from wslink.observe.histogram import SECONDS, Histogram
from wslink.observe.timing import OK, Timing, wait_of
from wslink.rpc.call import Call, current_call
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE

Key = TypeVar("Key")

OTHER = "_OTHER"
"""Stands for every method that the server does not have: what a client makes up never becomes a label."""
MAX_SERIES = 2_000
"""Pairs of a method and a status that are told apart; an application may make up codes without end."""
SMALL = SECONDS[0]
"""Seconds up to which a call that began at once and succeeded is only counted."""


class Small(NamedTuple):
    """Calls of a method that were only counted, and their total duration in seconds."""

    calls: int
    seconds: float


class Durations(Timing):
    """An interceptor (`around`) that measures how long the calls of each method ran, and how long they had waited."""

    def __init__(self) -> None:
        self._ran: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self._waited: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._small: dict[str, Callable[[], Small]] = {}

    def around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors. It enters no other function for a call that succeeds in its first step, and only counts
        those that take less than the first bucket of the histograms: small calls are so cheap that each step would be
        noticeable."""
        calls, total = 0, 0.0

        def timed(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls, total
            begun = monotonic()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                if (call := current_call.get()) is not None:
                    self.ended(call, begun, status_of(error))
                raise
            seconds = monotonic() - begun
            call = current_call.get()
            if call is None:  # a function of the application's called it
                return result
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return self.awaited(call, begun, result)
            if seconds > SMALL or call.arrived:
                self.ended(call, begun, OK)
            else:
                calls += 1
                total += seconds
            return result

        self._keep(name)
        self._small[name] = lambda: Small(calls, total)
        return timed

    def ended(self, call: Call, begun: float, status: str) -> None:
        """See Timing."""
        key = (call.method, status)
        if key not in self._ran and len(self._ran) >= MAX_SERIES:
            key = (call.method, OTHER)
        self._ran[key].observe(monotonic() - begun)
        self._waited[call.method].observe(wait_of(call, begun))

    def unknown(self) -> None:
        """A method was called that does not exist."""
        self._ran[OTHER, str(METHOD_NOT_FOUND)].observe(0.0)

    def ran(self) -> dict[tuple[str, str], Histogram]:
        """How long calls ran, by method and status."""
        found = {key: one.copy() for key, one in list(self._ran.items())}
        for name, small in list(self._small.items()):
            _add(found, (name, OK), small())
        return found

    def waited(self) -> dict[str, Histogram]:
        """How long calls had waited, by method. One that began as soon as it arrived has not waited."""
        found = {name: one.copy() for name, one in list(self._waited.items())}
        for name, small in list(self._small.items()):
            _add(found, name, small()._replace(seconds=0.0))
        return found

    def _keep(self, name: str) -> None:
        """Another function takes a method's name: keep the counts of the previous one."""
        small = self._small.pop(name, None)
        if small is not None:
            _add(self._ran, (name, OK), small())
            _add(self._waited, name, small()._replace(seconds=0.0))


def _add(histograms: dict[Key, Histogram], key: Key, small: Small) -> None:
    if small.calls:
        histograms.setdefault(key, Histogram()).add(small.calls, small.seconds)
