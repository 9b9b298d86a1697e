"""Calls from the server that a client serves (HND)."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from wslink import errors
from wslink.client.outbox import Outbox
from wslink.errors import NotSerializable, PeerError
from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Dispatcher, Service
from wslink.rpc.interceptors import Interceptor
from wslink.rpc.methods import MAX_NAME, Method
from wslink.rpc.pending import check_timeout
from wslink.rpc.progress import Reporter
from wslink.session.entries import Entry
from wslink.waiting import within
from wslink.wire import messages as wire
from wslink.wire.extensions import PROGRESS
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.messages import Request
from wslink.wire.show import as_text
from wslink.wire.v2_msgpack import V2Encoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

OnProgress = Callable[[Any], object]
"""Is told of the progress of a call; what it raises is logged."""


class Owner(Protocol):
    """The link whose calls are served: `Call.app` of handlers."""

    def keep(self, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
        """Run a coroutine until it ends or the link does."""

    def leave(self) -> None:
        """Close the link."""

    async def perform(
        self, method: str, args: Sequence[Value], kwargs: dict[str, Value], *, on_progress: OnProgress | None
    ) -> Value:
        """Call a method of the server."""


class Server:
    """The server, as the caller of its calls (rpc.call.Caller)."""

    id = "server"
    user = ""
    address = ""

    def __init__(self, link: Owner) -> None:
        self._link = link
        self.attributes: Mapping[str, Any] = {}

    def disconnect(self, reason: str = "") -> None:
        """Close the link."""
        self._link.leave()

    async def call(
        self,
        method: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a method of the server; see Link.call."""
        check_timeout(timeout)
        return await within(self._link.perform(method, args, kwargs, on_progress=on_progress), timeout)


class Answers:
    """Sends the responses to the server's calls in one session (rpc.dispatcher.Responder). Waiting responses are
    identified by the ids of their calls, which the server chooses."""

    streams = None

    def __init__(self, outbox: Outbox, encoder: V2Encoder, max_frame: int, progress: bool) -> None:
        self._outbox = outbox
        self._encoder = encoder
        self._max_frame = max_frame
        self._progress = progress
        self._waiting: dict[str, Entry] = {}
        self._reported: dict[str, Entry] = {}
        self.over: bool = False
        """Whether the session has ended: nothing is sent any more."""

    def result(self, id_: str, value: Value, method: str | None = None) -> None:
        try:
            message = self._encoder.result(id_, value, self._max_frame)
        except NotSerializable as error:
            logger.error("the result of %s cannot be sent: %s", method, error)
            self.error(id_, errors.RESULT_SERIALIZE_ERROR, "Method result cannot be serialized", method)
        else:
            self._answer(id_, message)

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        return value

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None:
        error = {"code": errors.as_code(code), "message": as_text(message)} | ({} if data is None else {"data": data})
        try:
            failure = self._encoder.failure(id_, error, self._max_frame)
        except NotSerializable as unsendable:
            error["data"] = as_text(f"the data of this error cannot be sent: {unsendable}")
            failure = self._encoder.failure(id_, error, self._max_frame)
        self._answer(id_, failure)

    def unknown(self, request: Request) -> None:
        name = request.method[:MAX_NAME]
        self.error(request.id, errors.METHOD_NOT_FOUND, f"Unregistered method called: {name}", name)

    def reporter(self, call: Call) -> Reporter | None:
        return Reporter(call, self._prepare) if self._progress else None

    def full(self) -> None: ...

    def room(self) -> None: ...

    def give_up(self, id_: str) -> None:
        """Stop sending a response and its progress (CAN-2)."""
        for waiting in (self._waiting, self._reported):
            entry = waiting.pop(id_, None)
            if entry is not None:
                self._outbox.give_up(entry)

    def end(self) -> None:
        """The session has ended."""
        self.over = True
        for id_ in [*self._waiting, *self._reported]:
            self.give_up(id_)

    def _prepare(self, id_: str, value: Value) -> Callable[[], None]:
        message = self._encoder.extension([PROGRESS, id_, value], self._max_frame)
        return functools.partial(self._report, id_, message)

    def _report(self, id_: str, message: Message) -> None:
        """Send progress; of what is waiting, only the newest (PRG-1)."""
        if not self.over:
            self._give_up_progress(id_)
            self._post(self._reported, id_, message)

    def _give_up_progress(self, id_: str) -> None:
        entry = self._reported.pop(id_, None)
        if entry is not None and not entry.begun:
            self._outbox.give_up(entry)

    def _answer(self, id_: str, message: Message) -> None:
        reported = self._reported.pop(id_, None)
        if not self.over:
            self._post(self._waiting, id_, message, reported)

    def _post(self, waiting: dict[str, Entry], id_: str, message: Message, after: Entry | None = None) -> None:
        entry = self._outbox.post(message, after=after)
        for known in [known for known, one in waiting.items() if one.over]:
            del waiting[known]
        if not entry.over:
            waiting[id_] = entry


class Handlers:
    """The functions that the server may call, and its running calls.

    Args:
        link: the client's link.
        limits: `max_client_calls` applies.
    """

    def __init__(self, link: Owner, limits: Limits) -> None:
        self._most = limits.max_client_calls
        self._server = Server(link)
        self._service = Service(link, link.keep, {"thread": _in_thread}, limits)
        self._answers: Answers | None = None
        self._dispatcher: Dispatcher | None = None

    def add(self, method: Method, replace: bool = False) -> None:
        """Allow the server to call `method`. Raises UsageError if its name is taken and `replace` is false, or if it
        streams (HND-6)."""
        if method.streaming:
            raise errors.UsageError(
                f"handler {method.name!r} has streams, which only methods of a server may have (HND-6)"
            )
        self._service.methods.add(method, replace)

    def intercept(self, interceptor: Interceptor) -> None:
        """See Methods.intercept."""
        self._service.methods.intercept(interceptor)

    def remove(self, method: Method) -> None:
        """Stop allowing the server to call a method."""
        if self._service.methods.get(method.name) is method:
            del self._service.methods[method.name]

    def begin(self, outbox: Outbox, encoder: V2Encoder, max_frame: int, features: tuple[str, ...]) -> None:
        """A session begins. The server knows nothing of calls in the previous one (HND-5)."""
        self.end()
        if wire.HANDLES in features:
            self._answers = Answers(outbox, encoder, max_frame, wire.PROGRESSES in features)
            self._dispatcher = Dispatcher(self._service, self._answers)

    def end(self) -> None:
        """The session has ended: cancel running calls."""
        if self._answers is not None and self._dispatcher is not None:
            self._answers.end()
            self._dispatcher.leave()
        self._answers = self._dispatcher = None

    def take(self, message: Mapping[str, Any]) -> None:
        """Handle a call from the server."""
        dispatcher, answers = self._dispatcher, self._answers
        if dispatcher is None or answers is None:
            logger.warning("the server calls a method, and `handle` was not accepted")
            return
        try:
            request = wire.parse_call(message)
        except PeerError as error:
            logger.warning("the server sent a call that is refused: %s", error.message)
            return
        if dispatcher.under_way >= self._most:
            why = f"over max_client_calls ({self._most}) calls run"
            answers.error(request.id, errors.LIMIT_ERROR, why, request.method[:MAX_NAME])
        else:
            dispatcher.start(request, self._server)

    def cancel(self, id_: Value) -> None:
        """Cancel one of the server's calls, at its request (CAN-1, CAN-2)."""
        dispatcher, answers = self._dispatcher, self._answers
        if dispatcher is None or answers is None or not isinstance(id_, str):
            return
        if not dispatcher.cancel(id_):
            answers.give_up(id_)


def _in_thread(function: Callable[[], Any]) -> asyncio.Future[Any]:
    return asyncio.ensure_future(asyncio.to_thread(function))
