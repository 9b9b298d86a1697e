"""Times calls: how long each waited for its turn, how long it ran, and how it ended."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from time import monotonic
from typing import Any, Protocol

from wslink.rpc.call import Call, current_call
from wslink.rpc.interceptors import Function, status_of
from wslink.rpc.methods import NEVER_AWAITABLE
from wslink.session.observers import Observer
from wslink.session.view import SessionView
from wslink.wire.messages import Request

OK = "OK"
MAX_ARRIVED = 16_384
"""Calls whose arrival is remembered; those beyond are taken to have waited for nothing."""


class CallSink(Protocol):
    """What is told of calls. From any thread."""

    def began(self, call: Call, waited: float) -> None:
        """A method begins to serve a call that arrived `waited` seconds ago."""

    def ended(self, call: Call, seconds: float, status: str) -> None:
        """It has ended after `seconds`, with `OK` or the code of its error."""

    def failed(self, session: SessionView, request: Request) -> None:
        """A call of a method that there is not."""


class CallTimer(Observer):
    """An observer, and an interceptor (`around`), which together time the calls of a server."""

    def __init__(self, sink: CallSink) -> None:
        self._sink = sink
        self._arrived: dict[tuple[str, object], float] = {}

    def received(self, session: SessionView, request: Request) -> None:
        if len(self._arrived) < MAX_ARRIVED:
            self._arrived[session.client_id, request.id] = monotonic()

    def unknown(self, session: SessionView, request: Request) -> None:
        self._arrived.pop((session.client_id, request.id), None)
        self._sink.failed(session, request)

    def closed(self, session: SessionView) -> None:
        """What a client leaves of calls that never began, such as those that were refused."""
        mine = [key for key in self._arrived if key[0] == session.client_id]
        for key in mine:
            self._arrived.pop(key, None)

    def around(self, name: str, function: Function) -> Function:
        """See rpc.interceptors."""
        sink, arrived = self._sink, self._arrived

        def timed(*args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            if call is None:
                return function(*args, **kwargs)
            begun = monotonic()
            sink.began(call, begun - arrived.pop((call.client_id, call.id), begun))
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                sink.ended(call, monotonic() - begun, status_of(error))
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return self._finish(call, begun, result)
            sink.ended(call, monotonic() - begun, OK)
            return result

        return timed

    async def _finish(self, call: Call, begun: float, awaitable: Awaitable[Any]) -> Any:
        status = OK
        try:
            return await awaitable
        except BaseException as error:
            status = status_of(error)
            raise
        finally:
            self._sink.ended(call, monotonic() - begun, status)
