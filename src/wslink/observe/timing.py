"""Timing of calls: how long they wait and run, and how they end."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from wslink.rpc.call import Call, current_call
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE

OK = "OK"


class Timing:
    """An interceptor (`around`) that times calls. Base class of those that record the times. Its callbacks may run on
    any thread. A method that another method calls directly is timed only once."""

    def began(self, call: Call, begun: float) -> None:
        """A method serves a call that does not end in its first step on the event loop, from `begun` (monotonic) on."""

    def ended(self, call: Call, begun: float, status: str) -> None:
        """A call that began at `begun` has ended, with `OK` or its error code."""

    def around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors. A call that ends in its first step on the event loop began when it arrived: its
        `arrived` is 0, and `began` is not called."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            if call is None:
                return function(*args, **kwargs)
            begun = monotonic()
            if call.arrived:
                self.began(call, begun)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self.ended(call, begun, status_of(error))
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return self.awaited(call, begun, result)
            self.ended(call, begun, OK)
            return result

        return timed

    async def awaited(self, call: Call, begun: float, awaitable: Awaitable[Any]) -> Any:
        """What a call gives that does not end in its first step."""
        if not call.arrived:
            self.began(call, begun)
        status = OK
        try:
            return await awaitable
        except BaseException as error:
            status = status_of(error)
            raise
        finally:
            self.ended(call, begun, status)


def wait_of(call: Call, begun: float) -> float:
    """Seconds that a call which began at `begun` had waited for its turn."""
    return begun - call.arrived if call.arrived else 0.0
