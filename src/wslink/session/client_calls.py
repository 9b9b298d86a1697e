"""Calls from the server to one client (HND)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wslink.errors import LIMIT_ERROR, RAISED, CallError, ClientGone, PeerError
from wslink.rpc.pending import PendingCalls
from wslink.session.entries import Entry
from wslink.session.send_queue import SendQueue
from wslink.session.state import CLOSED, State
from wslink.wire.codec import Encoder
from wslink.wire.extensions import CANCEL, pack_extension
from wslink.wire.frames import Message
from wslink.wire.messages import CANCELLATION, PROGRESSES
from wslink.wire.v2_msgpack import V2Encoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

OnProgress = Callable[[Value], object]
"""Receives the progress of a call. Exceptions are logged."""
_NAME = "call"
"""Precedes a call's id in the names of its queued messages, since clients choose ids of their own calls freely."""


class Callee(Protocol):
    """The session of the client that is called."""

    client_id: str
    state: State
    features: tuple[str, ...]
    encoder: Encoder
    queue: SendQueue

    def send(self, message: Message, key: Value = None, names: tuple[Value, ...] = (), lane: int | None = None) -> None:
        """Send a message as soon as the transport accepts it."""

    def withdraw(self, entries: list[Entry]) -> None:
        """Stop sending messages that are queued or partly sent."""

    def asks(self, id_: str, method: str, message: Message) -> None:
        """The client is being called."""

    def replies(self, message: Mapping[str, Value]) -> None:
        """The client has responded to a pending call."""

    def read_on(self) -> None:
        """Read on past calls that wait for their turn: a response is expected behind them."""


class ClientCalls:
    """The calls to one client. Like its session, they survive the loss of a connection. Use it on the event loop's
    thread.

    Args:
        session: the client's session.
        max_frame: the most bytes in a frame (G2-5).
        most: calls that may be pending (LIM-20).

    Attributes:
        loop: the event loop on which calls are made.
    """

    def __init__(self, session: Callee, max_frame: int, most: int) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._session = session
        self._max_frame = max_frame
        self._most = most
        self._pending = PendingCalls()
        self._on_progress: dict[str, OnProgress] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """The number of pending calls."""
        return len(self._pending)

    async def call(
        self,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        timeout: float | None,
        on_progress: OnProgress | None,
    ) -> Value:
        """Call a method of the client. See hub.clients.Client.call."""
        session, id_ = self._session, f"rpc:server:{next(self._numbers)}"
        if session.state is CLOSED:
            raise ClientGone(session.client_id)
        if len(self._pending) >= self._most:
            why = f"client {session.client_id} has not answered {self._most} calls (max_calls)"
            raise CallError(LIMIT_ERROR, why, method)
        assert isinstance(session.encoder, V2Encoder)
        options: Mapping[str, bool] = {"progress": True} if on_progress and PROGRESSES in session.features else {}
        message = session.encoder.call(id_, method, args, kwargs, self._max_frame, options)
        response = self._pending.add(id_)
        if on_progress is not None:
            self._on_progress[id_] = on_progress
        try:
            session.asks(id_, method, message)
            session.send(message, None, ((_NAME, id_),))
            session.read_on()
            await asyncio.wait({response}, timeout=timeout)
            if not response.done():
                raise TimeoutError(f"{method}: client {session.client_id} has not answered within {timeout:g} s")
            return response.result()
        finally:
            self._on_progress.pop(id_, None)
            self._pending.discard(id_)
            if not response.done():
                self._cancel(id_)
            del response  # avoids a reference cycle: the future holds its exception, which holds this frame

    def _cancel(self, id_: str) -> None:
        """Cancel a call that nobody waits for any more (CAN-1): stop sending it, or else notify the client."""
        session, name = self._session, (_NAME, id_)
        is_told = CANCELLATION in session.features
        for entry in session.queue.named.entries(name):
            if is_told or not entry.begun:
                session.withdraw([entry])
                is_told = is_told and not (entry.over or entry.ended)
        if is_told:
            session.send(pack_extension((CANCEL, id_)), None, (name,))

    def is_response(self, message: Value) -> bool:
        """Whether a message is a response, even a late or malformed one, rather than a call without a method."""
        if type(message) is not dict or "method" in message:
            return False
        id_ = message.get("id")
        return "result" in message or "error" in message or (isinstance(id_, str) and self._pending.waits(id_))

    def settle(self, message: Mapping[str, Value]) -> None:
        """Handle a response. One that matches no pending call is ignored (HND-3)."""
        id_ = message.get("id")
        if isinstance(id_, str):
            if self._pending.waits(id_):
                self._session.replies(message)
            self._pending.settle(id_, message)

    def refuse(self, error: PeerError) -> None:
        """Fail the call to which an undecodable message is the response, if there is one."""
        if error.id is not None:
            refusal = CallError(error.code, f"the client's response is refused: {error.message}")
            self._pending.reject(error.id, refusal)

    def progressed(self, id_: str, value: Value) -> None:
        """The client has reported progress of a call (PRG-1)."""
        on_progress = self._on_progress.get(id_)
        if on_progress is not None and self._pending.waits(id_):
            try:
                on_progress(value)
            except RAISED:
                logger.exception("client %s: on_progress raised", self._session.client_id)

    def end(self) -> None:
        """Fail all pending calls: the client has gone for good."""
        self._pending.fail(ClientGone(self._session.client_id))
