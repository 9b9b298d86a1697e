"""A session, as features, observers and the hub see it."""

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
    """The server's end of the protocol for one client.

    Attributes:
        client_id: the client's id, also before it has authenticated.
        client: the client, once it has authenticated.
        state: see State.
        features: the features that hello granted.
        encoder: encodes messages for the client.
        subscribing: whether it subscribes explicitly (SUB-1). Released clients are sent everything (ORD-4).
        queue: the messages that are waiting to be sent.
        flow: see FlowControl; None for a client that does not acknowledge.
        acknowledgements: acknowledges what arrives; None for a client that does not want it.
        resumption: what is kept for the client's return, with `resume`.
        streams: the streams of its calls; None for a client that does not support them.
        calls: the calls that the server makes of the client, with `handle`.
        route: where the connection was accepted, for the owner's use.
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
        """Whether no more than `max_outbox` bytes are waiting, or the session is closed."""

    async def room_again(self) -> None:
        """Wait until `has_room` may be true."""

    def charge(self, seconds: float) -> None:
        """The last request took this long to handle: further ones wait for the client's next turn (TURN-1)."""

    def accept_arrays(self) -> None:
        """Send and receive typed arrays from now on (ARR-1)."""

    def accept_calls(self) -> None:
        """Allow the server to call the client's methods from now on (HND)."""

    def accept_ends(self) -> None:
        """Drop messages that the client aborts before they are complete, from now on (CAN-3)."""

    def cancel(self, id_: str) -> None:
        """Cancel one of the client's calls, at its request (CAN-1, CAN-2)."""

    def start_streams(self) -> None:
        """Allow streams from now on (STR)."""

    def take_stream(self, items: Sequence[Any]) -> None:
        """Handle a message of a stream (STR). Raises InvalidRequest."""

    def start_flow(self) -> None:
        """Acknowledge received data, and send at the rate of the client's acknowledgements, from now on (FLOW)."""

    def start_resume(self) -> None:
        """Acknowledge what arrives and keep what is sent, from now on (RES)."""

    def void_previous_token(self) -> None:
        """Void the previous token: the client has shown that it knows its newest one (RES-7)."""

    def result(self, id_: str, value: Any, method: str | None = None) -> None:
        """Send the result of a request; an error if it cannot be encoded."""

    def error(self, id_: str, code: int, message: str, data: Any = None) -> None:
        """Send the error of a request."""

    def send(self, message: Message, key: Any = None, names: tuple[Any, ...] = (), lane: int | None = None) -> None:
        """Send a message as soon as the transport accepts it. For `key` and `names` see entries.Entry, for `lane`
        SendQueue.put."""

    def result_behind(self, id_: str, value: Any, topic: str) -> None:
        """Send the result of a request after the publications of a topic that precede it (SUB-3 to SUB-5)."""

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
        """Send a publication to a client with `flow` once the windows `gates` are open; see entries.Entry."""

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""
