"""Hello on the server's side: authenticate the client, grant features, respond."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Coroutine
from typing import Protocol

from wslink.errors import RAISED
from wslink.session.hello import answer, parse_hello
from wslink.session.identity import Credentials, Identity, Opening
from wslink.session.ports import Returnable, SessionOwner
from wslink.session.resumption import RESTARTED, Resumption
from wslink.session.state import CLOSED, NEW, OPEN
from wslink.session.view import SessionView
from wslink.wire.messages import RESUME, Request
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")


POLICY_VIOLATION = 1008


class Greetable(SessionView, Protocol):
    """A session, as the handling of hello needs it.

    Attributes:
        asking: hellos whose authentication is pending.
    """

    asking: int

    def close(self, code: int, reason: str) -> None:
        """End the session and close its connection."""

    def refuse_hello(self, id_: str) -> None:
        """Send the error response to the hello with that id."""

    @property
    def resumable(self) -> bool:
        """Whether `resume` is offered."""

    def begin_resumption(self) -> Resumption:
        """Number and keep all messages from now on."""

    def answer_hello(self, id_: str, result: dict[str, Value]) -> None:
        """Send the response to a hello."""

    def hand_over(self, session: Returnable, id_: str, result: dict[str, Value]) -> None:
        """Send the response to a hello, and move the connection to the session that the client returns to."""

    def open(self, features: tuple[str, ...], identity: Identity) -> None:
        """The client has authenticated and was notified."""


class Greeting:
    """The handling of one hello.

    Args:
        session: the client's session.
        owner: authenticates the client, and offers features.
        opening: how the connection was opened.
        request: the hello.

    Raises:
        PeerError: the hello is malformed.
    """

    def __init__(self, session: Greetable, owner: SessionOwner, opening: Opening, request: Request) -> None:
        self._session = session
        self._owner = owner
        self._id = request.id
        self._hello = hello = parse_hello(request, owner.limits.max_partial)
        self._credentials = Credentials(hello.secret, hello.has_secret, session.client_id, hello.client, opening)

    def answer(self) -> None:
        """Authenticate the client and respond, either at once or when the authentication completes. Only few
        authentications may be pending at a time (LIM-8)."""
        limit = self._owner.limits.max_hellos
        if self._session.asking >= limit:
            self._session.close(POLICY_VIOLATION, f"over max_hellos ({limit}) hellos wait for their answer")
            return
        try:
            identity = self._owner.authenticate(self._credentials)
        except RAISED as error:
            identity = self._no_identity(error)
        if identity is None or isinstance(identity, Identity):
            self._finish(identity)
        else:
            self._later(self._wait(identity))

    def _later(self, step: Coroutine[object, None, None]) -> None:
        async def count() -> None:
            try:
                await step
            finally:
                self._session.asking -= 1

        self._session.asking += 1
        self._owner.spawn(count())

    async def _wait(self, verdict: Awaitable[Identity | None]) -> None:
        try:
            identity = await verdict
            if identity is not None and not isinstance(identity, Identity):  # such as the True or False of a check
                raise TypeError(f"authentication gives an Identity or None, not {identity!r:.100}")
        except RAISED as error:
            identity = self._no_identity(error)
        self._finish(identity)

    def _no_identity(self, error: BaseException) -> Identity | None:
        """Log an exception in the authentication, and refuse the client."""
        logger.error("client %s: its authentication raised", self._session.client_id, exc_info=error)
        return None

    def _finish(self, identity: Identity | None) -> None:
        session, owner = self._session, self._owner
        if session.state is CLOSED:
            return
        if identity is None:
            session.refuse_hello(self._id)
            return
        features = owner.features.granted(self._hello.features, session.encoder.version)
        if session.state is OPEN:  # a second hello changes nothing, so it is granted nothing new (HELLO-6)
            features = tuple(name for name in features if name in session.features)
            session.answer_hello(self._id, self._answer(session.client_id, features))
            return
        if not session.resumable:
            features = tuple(name for name in features if name != RESUME)
        if RESUME in features:
            token = self._hello.back.token
            coming = self._owner.recall(token) if token and self._owner.tokens.find(token) == RESTARTED else None
            if coming is None:
                self._resume(features, identity)
            else:
                self._later(self._resume_later(coming, features, identity))
        else:
            session.result(self._id, self._answer(session.client_id, features))
            session.open(features, identity)

    async def _resume_later(self, coming: Awaitable[None], features: tuple[str, ...], identity: Identity) -> None:
        """Continue once the session has arrived from another process, or none has it (RES-12)."""
        await coming
        if self._session.state is NEW:
            self._resume(features, identity)

    def _answer(self, client_id: str, features: tuple[str, ...]) -> dict[str, Value]:
        max_frame = self._owner.limits.max_msg_size
        return answer(self._hello, client_id, self._session.encoder.version, max_frame, features)

    def _resume(self, features: tuple[str, ...], identity: Identity) -> None:
        """Return a client to its session, or start one that it can return to (RES-1)."""
        session, back, window = self._session, self._hello.back, self._owner.limits.resume_window
        found = self._owner.tokens.find(back.token) if back.token else ""
        reason = found if isinstance(found, str) else found.refuses(back, features, identity)
        old = None if isinstance(found, str) or reason else found
        resumption = old.resumption if old is not None else session.begin_resumption()
        assert resumption is not None
        resume: dict[str, Value] = {"token": resumption.token, "epoch": resumption.epoch, "window": window}
        if self._owner.heartbeat >= 1:
            resume["heartbeat"] = self._owner.heartbeat
        if old is not None:
            received, missing = resumption.received.report()
            resume.update(resumed=True, received=received, missing=missing)
            if begun := resumption.report_beginnings():
                resume["begun"] = begun
            session.hand_over(old, self._id, {**self._answer(old.client_id, features), "resume": resume})
            return
        resume.update(resumed=False, **({"reason": reason} if reason else {}))
        session.answer_hello(self._id, {**self._answer(session.client_id, features), "resume": resume})
        session.open(features, identity)
