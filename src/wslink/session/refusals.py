"""Refusals of a client's messages, and limits on their number."""

from __future__ import annotations

import logging

from wslink import errors
from wslink.errors import AuthenticationError, InvalidRequest, ParseError, PeerError
from wslink.rpc.methods import MAX_NAME
from wslink.session.outgoing import Outgoing
from wslink.session.ports import SessionOwner, Transport
from wslink.wire.messages import Request
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")


class Refusals(Outgoing):
    """Adds to a session that it sends the errors that are the client's fault, and counts them (LIM-8, LIM-9). Takes the
    arguments of Outgoing."""

    __slots__ = ("_malformed", "_refused", "asking")

    def __init__(self, owner: SessionOwner, transport: Transport, client_id: str, route: Value) -> None:
        super().__init__(owner, transport, client_id, route)
        self._malformed = self._refused = 0  # messages, and hellos
        self.asking: int = 0
        """Hellos whose authentication is pending."""

    def refuse(self, id_: str, error: PeerError) -> None:
        """Respond that a message is malformed (ERR-5). A connection may send only few of these (LIM-9)."""
        self._malformed += 1
        self.error(id_, error.code, error.message, error.data)
        if isinstance(error, (ParseError, InvalidRequest)):
            logger.warning("client %s: %s", self.client_id, error.message)
        if self._malformed > self._owner.limits.max_malformed:
            self.close(1008, f"over max_malformed ({self._owner.limits.max_malformed}) malformed messages")

    def refuse_hello(self, id_: str, error: PeerError | None = None) -> None:
        """Respond that a hello is refused. A connection has only few attempts (LIM-8)."""
        self._refused += 1
        if error is None:
            error = AuthenticationError("Authentication failed")
        self.error(id_, error.code, error.message, error.data)
        limit = self._owner.limits.max_hellos
        if self._refused >= limit:
            self.close(1008, f"{limit} hellos were refused (max_hellos)")

    def fail_unforeseen(self, request: Request) -> None:
        """Respond with an internal error to a request that met an exception in this package or an observer. It must not
        end the connection."""
        logger.exception("client %s: the call %s of %s failed", self.client_id, request.id, request.method)
        self.error(request.id, errors.INTERNAL_ERROR, "Internal error", None, request.method)

    def unknown(self, request: Request) -> None:
        """Respond that there is no such method."""
        for notify in self._owner.observers.unknown:
            notify(self, request)
        # Released clients compare the message.
        service = self._owner.service
        hint = service.methods.hint(request.method) if self.features and service.refuse is None else ""
        text = f"Unregistered method called{hint}"
        self.error(request.id, errors.METHOD_NOT_FOUND, text, request.method[:MAX_NAME], request.method)
