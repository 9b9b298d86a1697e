"""The calls of a client: their ids, how they are sent, and what happens to pending ones when a connection ends."""

from __future__ import annotations

import itertools
import logging
from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wslink.client.handlers import OnProgress
from wslink.client.hello import NOBODY, Welcome
from wslink.client.outbox import Outbox
from wslink.client.transfers import OnTransfer, Receiving
from wslink.errors import INTERRUPTED, ConnectionClosed
from wslink.rpc.pending import PendingCalls
from wslink.session.entries import Entry
from wslink.wire import messages as wire
from wslink.wire.codec import V2, V2_WITH_ARRAYS
from wslink.wire.extensions import CANCEL, pack_extension
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.v2_msgpack import NO_OPTIONS, Option, V2Encoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")
PROGRESS_WANTED: Mapping[str, bool] = {"progress": True}


class OutgoingCall(NamedTuple):
    """A call that is about to be sent, and the future of its result. Discard its id when it is no longer needed."""

    id: str
    message: Message
    result: Future[Value]


class Fates:
    """What happens to the calls of a session that has ended.

    Args:
        pending: the pending calls.

    Attributes:
        posted: the messages that were queued, by the ids of their calls.
        repeatable: the messages of calls that may run twice.
        error: how the previous connection has ended; None before the first.
    """

    def __init__(self, pending: PendingCalls) -> None:
        self.posted: dict[str, Entry] = {}
        self.repeatable: dict[str, Message] = {}
        self.error: ConnectionClosed | None = None
        self._pending = pending

    def fail(self) -> None:
        """Fail the calls that the server may or may not have received, except for those that may be retried."""
        if self.error is not None:
            for id_ in self._pending.ids:
                if id_ != wire.HELLO_ID and id_ not in self.repeatable and not self._waits(id_):
                    self._pending.reject(id_, self.error)

    def again(self) -> list[Message]:
        """The calls that the server may have received, and that are retried."""
        return [message for id_, message in self.repeatable.items() if not self._waits(id_)]

    def _waits(self, id_: str) -> bool:
        """Whether no part of a call was sent."""
        entry = self.posted.get(id_)
        return entry is not None and not entry.begun


class Calls:
    """The calls of one client, over successive connections.

    Args:
        limits: `max_resume` limits what is kept.

    Attributes:
        welcome: the server's response to hello.
        pending: the pending calls.
        outbox: the messages that wait to be sent.
        on_progress: the callbacks for the progress of calls, by their ids.
    """

    def __init__(self, limits: Limits) -> None:
        self.welcome: Welcome = NOBODY
        self.pending: PendingCalls = PendingCalls()
        self.outbox: Outbox = Outbox(limits.max_resume)
        self.on_progress: dict[str, OnProgress] = {}
        self._fates = Fates(self.pending)
        self._receiving = Receiving()
        self._encoder: V2Encoder = V2
        self._numbers = itertools.count()

    def call(
        self, method: str, args: Sequence[Value], kwargs: dict[str, Value], on_progress: OnProgress | None = None
    ) -> OutgoingCall:
        """Create a call (MSG-3). Raises NotSerializable."""
        id_ = f"rpc:{self.welcome.client_id}:{next(self._numbers)}"
        if on_progress is None:
            return self._call(id_, method, args, kwargs)
        call = self._call(id_, method, args, kwargs, PROGRESS_WANTED)
        self.on_progress[id_] = on_progress
        return call

    def _make_encoder(self, arrays: bool) -> V2Encoder:
        """The encoder for a server, with or without typed arrays."""
        return V2_WITH_ARRAYS if arrays else V2

    def system(self, method: str, argument: Mapping[str, Value]) -> OutgoingCall:
        """Create a system call of a feature. Raises NotSerializable."""
        return self._call(f"system:{method}:{next(self._numbers)}", method, [argument], {})

    def _call(
        self,
        id_: str,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> OutgoingCall:
        message = self._encoder.call(id_, method, args, kwargs, self.welcome.max_frame, options)
        return OutgoingCall(id_, message, self.pending.add(id_))

    def retry(self, call: OutgoingCall) -> None:
        """Retry a call if it is not known whether the server received it. It may run twice."""
        self._fates.repeatable[call.id] = call.message

    def post(self, call: OutgoingCall, on_transfer: OnTransfer | None) -> Entry:
        """Queue a call. Until it is sent, `over` can cancel it.

        Raises:
            ConnectionClosed: there is no connection, and more than `max_resume` bytes would wait for one.
        """
        self.outbox.check_room(call.message.size)
        if on_transfer is not None:
            self._receiving.add(call.id, on_transfer)
        entry = self._fates.posted[call.id] = self.outbox.post(call.message, on_transfer)
        return entry

    def over(self, call: OutgoingCall, entry: Entry | None) -> None:
        """A call is no longer needed: it has been responded to, or its caller gave it up (CAN-1)."""
        self.pending.discard(call.id)
        if self.on_progress:
            self.on_progress.pop(call.id, None)
        unwanted = call.result.cancelled() or not call.result.done()
        if self._fates.repeatable:
            self._fates.repeatable.pop(call.id, None)
        if entry is not None:
            self._receiving.remove(call.id)
            self._fates.posted.pop(call.id, None)
            self.outbox.give_up(entry)
            unwanted = unwanted and entry.begun and not entry.ended
        if unwanted and wire.CANCELLATION in self.welcome.features and not call.id.startswith("system:"):
            self.outbox.urge(pack_extension((CANCEL, call.id)))

    def interrupted(self, id_: str, error: Value) -> bool:
        """Whether the server reports that a call was interrupted because its session moved (RES-12). It may have run,
        and is retried if it may run twice."""
        if not isinstance(error, dict) or error.get("code") != INTERRUPTED or not self.pending.waits(id_):
            return False
        message = self._fates.repeatable.get(id_)
        if message is not None:
            self.outbox.post(message)
        else:
            self.pending.reject(id_, ConnectionClosed(1012, str(error.get("message"))))
        return True

    def take_progress(self, items: list[Value]) -> None:
        """A call has reported progress (PRG-1). Late reports are ignored."""
        id_ = items[1] if len(items) == 3 else None
        on_progress = self.on_progress.get(id_) if isinstance(id_, str) else None
        if on_progress is not None and self.pending.waits(id_):  # type: ignore[arg-type]
            try:
                on_progress(items[2])
            except Exception:
                logger.exception("on_progress raised")
