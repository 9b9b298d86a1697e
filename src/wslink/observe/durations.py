"""How long calls wait and run, in histograms, at next to no cost to small ones."""

from __future__ import annotations

import inspect
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from wslink.errors import METHOD_NOT_FOUND
from wslink.observe.calls import OK
from wslink.observe.histogram import SECONDS, Histogram
from wslink.rpc.call import Call, current_call
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE

OTHER = "_OTHER"
"""Stands for every method that the server does not have: what a client makes up never becomes a label."""
MAX_SERIES = 2_000
"""Pairs of a method and a status that are told apart; an application may make up codes without end."""


class Durations:
    """An interceptor (`around`) that keeps how long the calls of each method ran, and had waited before.

    Attributes:
        ran: by method and status.
        waited: by method. A call that began as soon as it had come has waited for nothing.
    """

    def __init__(self) -> None:
        self.ran: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self.waited: defaultdict[str, Histogram] = defaultdict(Histogram)

    def around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors. It enters no other function for a call that succeeds in its first step: a small call
        costs so little that each would be felt."""
        ran: Histogram | None = None
        waited: Histogram | None = None

        def timed(*args: Any, **kwargs: Any) -> Any:
            nonlocal ran, waited
            call = current_call.get()
            begun = monotonic()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._ended(call, begun, status_of(error))
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return self._finish(call, begun, result)
            if call is None or call.arrived:
                self._ended(call, begun, OK)
                return result
            if ran is None or waited is None:
                ran, waited = self.ran[name, OK], self.waited[name]
            seconds = monotonic() - begun
            ran.counts[bisect_left(SECONDS, seconds)] += 1
            ran.total += seconds
            waited.counts[0] += 1
            return result

        return timed

    def unknown(self) -> None:
        """A call of a method that there is not."""
        self.ran[OTHER, str(METHOD_NOT_FOUND)].observe(0.0)

    async def _finish(self, call: Call | None, begun: float, awaitable: Awaitable[Any]) -> Any:
        status = OK
        try:
            return await awaitable
        except BaseException as error:
            status = status_of(error)
            raise
        finally:
            self._ended(call, begun, status)

    def _ended(self, call: Call | None, begun: float, status: str) -> None:
        if call is None:  # a function of the application's called it
            return
        key = (call.method, status)
        if key not in self.ran and len(self.ran) >= MAX_SERIES:
            key = (call.method, OTHER)
        self.ran[key].observe(monotonic() - begun)
        self.waited[call.method].observe(begun - call.arrived if call.arrived else 0.0)
