"""The client's end of the protocol: encodes calls, takes frames, settles what waits for a response. No I/O."""

from __future__ import annotations

import itertools
import logging
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from wslink.errors import CANCELLED, CallError, ConnectionClosed, PeerError
from wslink.rpc.pending import PendingCalls
from wslink.version import __version__
from wslink.wire import messages as wire
from wslink.wire.codec import SECOND, SECOND_WITH_ARRAYS
from wslink.wire.extensions import CANCEL, pack_extension
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.show import shown
from wslink.wire.v2_msgpack import SecondDecoder, SecondEncoder
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink.client")

FIRST_FRAME_SIZE = 512 * 1024  # G2-5: until hello tells the server's
FEATURES = (wire.SUBSCRIPTIONS, wire.ARRAYS, wire.CANCELLATION)
"""The features that the client announces (EXT-1)."""

PublicationHandler = Callable[[str, Mapping[str, Any]], None]


class OutgoingCall(NamedTuple):
    """A call that is to be sent, and the future of its result. Whoever gives up on it discards its id."""

    id: str
    message: Message
    result: Future[Value]


class ClientSession:
    """One connection's state.

    Args:
        limits: bounds on what the server may make grow.
        publish: called with the topic and the message of each publication.

    Attributes:
        client_id: see Link.
        server: see Link.
        features: see Link.
        max_frame: the most bytes in a frame, header included (G2-5).
        pending: the calls that wait for their response.
    """

    def __init__(self, limits: Limits, publish: PublicationHandler) -> None:
        self.client_id: str = ""
        self.server: dict[str, Value] = {}
        self.features: tuple[str, ...] = ()
        self.max_frame: int = FIRST_FRAME_SIZE
        self.pending: PendingCalls = PendingCalls()
        self._publish = publish
        self._encoder: SecondEncoder = SECOND
        self._decoder = SecondDecoder(limits)
        self._numbers = itertools.count()

    # Outgoing -----------------------------------------------------------------

    def hello(self, secret: str | None) -> OutgoingCall:
        """The first call (HELLO-1, EXT-1); its result is for `welcome`."""
        token: dict[str, Value] = {} if secret is None else {"secret": secret}
        token.update(features=FEATURES, client={"name": "wslink-python", "version": __version__})
        return self._call(wire.HELLO_ID, wire.HELLO, [token], {})

    def call(self, method: str, args: Sequence[Value], kwargs: dict[str, Value]) -> OutgoingCall:
        """A call (MSG-3). Raises NotSerializable."""
        return self._call(f"rpc:{self.client_id}:{next(self._numbers)}", method, args, kwargs)

    def system(self, method: str, argument: Mapping[str, Value]) -> OutgoingCall:
        """A system call, of a feature. Raises NotSerializable."""
        return self._call(f"system:{method}:{next(self._numbers)}", method, [argument], {})

    def _call(self, id_: str, method: str, args: Sequence[Value], kwargs: dict[str, Value]) -> OutgoingCall:
        message = self._encoder.call(id_, method, args, kwargs, self.max_frame)
        return OutgoingCall(id_, message, self.pending.add(id_))

    def welcome(self, result: Value) -> None:
        """Take the result of hello (HELLO-2, EXT-2).

        Raises:
            ConnectionClosed: if it cannot be understood.
        """
        try:
            self.client_id = str(result["clientID"])
            self.max_frame = int(result.get("maxMsgSize", self.max_frame))
            self.features = tuple(result.get("features", ()))
            self.server = dict(result.get("server", {}))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConnectionClosed(1006, f"the server's answer to hello makes no sense: {shown(result)}") from error
        if wire.ARRAYS in self.features:
            self._encoder = SECOND_WITH_ARRAYS
            self._decoder.accept_arrays()
        if wire.CANCELLATION in self.features:
            self._decoder.accept_ends()

    def may_cancel(self, id_: str) -> bool:
        """Whether the server wants to know that a call is given up (CAN-1)."""
        return wire.CANCELLATION in self.features and not id_.startswith("system:")

    def cancellation(self, id_: str) -> Message:
        """What tells it so."""
        return pack_extension((CANCEL, id_))

    # Incoming -----------------------------------------------------------------

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take one frame. Never raises: what is wrong with it is logged, or fails the call that it answers."""
        try:
            message = self._decoder.receive(binary, data)
        except PeerError as error:
            self._refuse(error)
            return
        if message is INCOMPLETE:
            return
        id_ = message.get("id") if isinstance(message, dict) else None
        if not isinstance(id_, str):
            logger.warning("the server sent a message without an id")
        elif id_.startswith("publish:"):
            self._publish(id_[len("publish:") :].rpartition(":")[0], message)
        elif not self.pending.settle(id_, message) and message.get("error") is not None:
            _report(message["error"])

    def _refuse(self, error: PeerError) -> None:
        """A message cannot be read. The call that it answers fails, if there is one; others are for the log."""
        refusal = CallError(error.code, f"the server's response is refused: {error.message}")
        if error.id is None or not self.pending.reject(error.id, refusal):
            logger.warning("the server sent a message (%s) that is refused: %s", error.id, error.message)


def _report(error: Value) -> None:
    """Log an error that no call waits for, unless it says that a call was cancelled."""
    if not isinstance(error, dict) or error.get("code") != CANCELLED:
        logger.warning("the server reports an error: %s", error)
