"""A session as features, observers and the hub see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from wslink.rpc.call import Caller
from wslink.rpc.streams import Streams
from wslink.session.acknowledgements import Acknowledgements
from wslink.session.client_calls import ClientCalls
from wslink.session.flow import FlowControl
from wslink.session.resumption import Resumption
from wslink.session.send_queue import SendQueue
from wslink.session.state import State
from wslink.session.window import DeliveryWindow
from wslink.wire.codec import Encoder
from wslink.wire.frames import Message


class SessionView(Protocol):
    """One client's end of the protocol.

    Attributes:
        client_id: the client's id, also before it has authenticated.
        client: the client, once it has authenticated.
        state: see State.
        features: the features that hello granted.
        encoder: what encodes messages for the client.
        subscribing: whether it subscribes explicitly (SUB-1); a released client is sent everything (ORD-4).
        queue: what waits to be sent.
        flow: see FlowControl; None for a client that acknowledges nothing.
        acknowledgements: of what arrives; None for a client to which nothing is acknowledged.
        resumption: what it keeps for its client's return, with `resume`.
        streams: those of its calls; None for a client that knows none.
        calls: those that the server makes of the client, with `handle`.
        route: where the connection was accepted: the owner's own.
    """

    client_id: str
    client: Caller | None
    state: State
    features: tuple[str, ...]
    encoder: Encoder
    subscribing: bool
    queue: SendQueue
    flow: FlowControl | None
    acknowledgements: Acknowledgements | None
    resumption: Resumption | None
    streams: Streams | None
    calls: ClientCalls | None
    route: Any

    @property
    def has_room(self) -> bool:
        """Whether no more waits than `max_outbox`, or the session is over."""

    def full(self) -> None:
        """Take no further calls from its client for a while."""

    def room(self) -> None:
        """There may be room for its calls again."""

    async def room_again(self) -> None:
        """Return once `has_room` may be true."""

    def charge(self, seconds: float) -> None:
        """What it was asked for last took so long: more of what it asks for waits for its next turn (TURN-1)."""

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""

    def accept_calls(self) -> None:
        """Let the server call methods of the client, from now on (HND)."""

    def accept_ends(self) -> None:
        """Drop messages that the client ends before they are whole, from now on (CAN-3)."""

    def cancel(self, id_: str) -> None:
        """The client gave up a call of its own (CAN-1, CAN-2)."""

    def start_streams(self) -> None:
        """Stream from now on (STR)."""

    def take_stream(self, items: Sequence[Any]) -> None:
        """Take a message of a stream (STR). Raises InvalidRequest."""

    def start_flow(self) -> None:
        """Acknowledge what arrives, and send by what the client acknowledges, from now on (FLOW)."""

    def start_resume(self) -> None:
        """Acknowledge what arrives, and keep what is sent, from now on (RES)."""

    def void_previous_token(self) -> None:
        """The client has acknowledged messages, and so knows its newest token (RES-7)."""

    def result(self, id_: str, value: Any, method: str | None = None) -> None:
        """Send the result of a request; an error where it cannot be encoded."""

    def error(self, id_: str, code: int, message: str, data: Any = None) -> None:
        """Send the error of a request."""

    def send(self, message: Message, key: Any = None, names: tuple[Any, ...] = (), lane: int | None = None) -> None:
        """Send a message once the transport takes it; see send_queue.Entry for `key` and `names`, and SendQueue.put for
        `lane`."""

    def result_behind(self, id_: str, value: Any, topic: str) -> None:
        """Send the result of a request behind the publications of a topic that precede it (SUB-3 to SUB-5)."""

    def send_within(
        self,
        message: Message,
        key: Any,
        names: tuple[Any, ...],
        gates: tuple[DeliveryWindow, ...],
        label: object,
        about: object,
        lane: int | None = None,
    ) -> None:
        """Send a publication to a client with `flow`, once the windows `gates` are open; see send_queue.Entry."""

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""
