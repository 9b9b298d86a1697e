"""Hello at the server's end: who the client is, which features it is granted, and the answer."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable
from typing import Protocol

from wslink.session.hello import answer, parse_hello
from wslink.session.identity import Credentials, Identity, Opening
from wslink.session.ports import SessionOwner
from wslink.session.state import CLOSED, NEW, OPEN
from wslink.session.view import SessionView
from wslink.wire.messages import Request

logger: logging.Logger = logging.getLogger("wslink")


class Greetable(SessionView, Protocol):
    """A session as its hello sees it."""

    def refuse_hello(self, id_: str) -> None:
        """Send that the hello of that id is refused."""

    def open(self, features: tuple[str, ...], identity: Identity) -> None:
        """The client has authenticated, and has been told so."""


class Greeting:
    """One hello.

    Args:
        session: the client's.
        owner: decides who the client is, and offers features.
        opening: what opened the connection.
        request: the hello.

    Raises:
        PeerError: if the hello is malformed.
    """

    def __init__(self, session: Greetable, owner: SessionOwner, opening: Opening, request: Request) -> None:
        self._session = session
        self._owner = owner
        self._id = request.id
        self._hello = hello = parse_hello(request)
        self._credentials = Credentials(hello.secret, hello.has_secret, session.client_id, hello.client, opening)

    def answer(self) -> None:
        """Authenticate the client and send the answer, now or as soon as it is known who the client is."""
        try:
            identity = self._owner.authenticate(self._credentials)
        except Exception as error:
            identity = self._no_identity(error)
        if inspect.isawaitable(identity):
            self._owner.spawn(self._wait(identity))
        else:
            self._finish(identity)

    async def _wait(self, verdict: Awaitable[Identity | None]) -> None:
        try:
            identity = await verdict
        except Exception as error:
            identity = self._no_identity(error)
        self._finish(identity)

    def _no_identity(self, error: Exception) -> Identity | None:
        """What an authentication that raises comes to: the client is refused."""
        logger.error("client %s: its authentication raised", self._session.client_id, exc_info=error)
        return None

    def _finish(self, identity: Identity | None) -> None:
        session, owner = self._session, self._owner
        if session.state is CLOSED:
            return
        if identity is None:
            session.refuse_hello(self._id)
            return
        version = session.encoder.version
        features = owner.features.granted(self._hello.features, version)
        if session.state is OPEN:  # a second hello changes nothing (HELLO-6), and so is granted nothing new
            features = tuple(name for name in features if name in session.features)
        session.result(self._id, answer(self._hello, session.client_id, version, owner.limits.max_msg_size, features))
        if session.state is NEW:
            session.open(features, identity)
