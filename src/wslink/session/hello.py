"""What a client says of itself in hello, and the features it may be granted (HELLO, EXT)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wslink.errors import AuthenticationError, InvalidParams
from wslink.version import __version__
from wslink.wire.messages import CallEnvelope

if TYPE_CHECKING:
    from wslink.session.ports import Host
    from wslink.session.session import Session

logger = logging.getLogger("wslink")

SUBSCRIBE = "subscribe"
ARRAYS = "arrays"

_GENERATIONS = {SUBSCRIBE: (1, 2), ARRAYS: (2,)}
"""The features of this server, and the generations in which each exists."""


@dataclass(frozen=True)
class Hello:
    """A client's hello.

    Attributes:
        secret: what it sent as its secret, of any type; None where it sent none.
        has_secret: whether it sent one at all (HELLO-7).
        features: the features it announced (EXT-1).
        client: what it says of itself, for logs; may be empty.
        same_origin: whether it is a page that this server's own origin vouches for.
    """

    secret: Any
    has_secret: bool
    features: tuple[str, ...] = ()
    client: dict[str, Any] = field(default_factory=dict)
    same_origin: bool = False

    @property
    def announces(self) -> bool:
        """Whether it speaks extensions at all (EXT-2)."""
        return bool(self.features or self.client)


def parse_hello(envelope: CallEnvelope, same_origin: bool) -> Hello:
    """Read a hello.

    Raises:
        AuthenticationError: if its one argument is not a map.
        InvalidParams: if its features are not a list of strings.
    """
    token = envelope.args[0] if envelope.args else {}
    if not isinstance(token, dict):
        raise AuthenticationError("Authentication failed")
    features = [] if token.get("features") is None else token["features"]
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise InvalidParams("wslink.hello: 'features' must be a list of strings", envelope.method)
    client = token.get("client")
    return Hello(
        token.get("secret"), "secret" in token, tuple(features), client if isinstance(client, dict) else {}, same_origin
    )


def granted(hello: Hello, generation: int) -> tuple[str, ...]:
    """The announced features that this server accepts on a connection of `generation` (EXT-2)."""
    return tuple(name for name in dict.fromkeys(hello.features) if generation in _GENERATIONS.get(name, ()))


def ask(host: Host, session: Session, hello: Hello, then: Callable[[bool], None]) -> None:
    """Tell `then` whether the host lets the client in, now or as soon as it knows. A check that raises is a no."""

    async def wait(verdict: Awaitable[bool]) -> None:
        try:
            accepted = bool(await verdict)
        except Exception:
            accepted = _failed(session)
        then(accepted)

    try:
        verdict = host.authenticate(hello, session)
    except Exception:
        verdict = _failed(session)
    if isinstance(verdict, bool):
        then(verdict)
    else:
        host.spawn(wait(verdict))


def _failed(session: Session) -> bool:
    logger.exception("client %s: the check of its secret failed", session.client_id)
    return False


def result(hello: Hello, session: Session, max_msg_size: int, features: tuple[str, ...]) -> dict[str, Any]:
    """The result of a good hello (HELLO-2, EXT-2)."""
    answer: dict[str, Any] = {"clientID": f"c{session.client_id}"}
    if session.encoder.generation == 2:
        answer["maxMsgSize"] = max_msg_size
    if hello.announces:
        answer.update(features=list(features), server={"name": "wslink", "version": __version__})
    return answer
