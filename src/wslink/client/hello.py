"""Hello on the client's side (HELLO, EXT, RES-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wslink.errors import ConnectionClosed
from wslink.version import __version__
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.show import shown
from wslink.wire.value import Value

FIRST_FRAME_SIZE = 512 * 1024  # G2-5: until hello tells the server's
MAX_HEARTBEAT = 86_400.0
"""The longest that a server may have its clients wait before they ask for a sign of life, in seconds."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The part of the server's response that concerns resumption (RES-1).

    Attributes:
        token: leads back to the session.
        epoch: changes exactly when the state that the server kept for the client becomes void.
        resumed: whether the session continues.
        reason: why not, if a token was presented.
        received: the highest number of this client's messages that the server has received; `missing` are those below
            it that it has not.
        heartbeat: seconds of silence after which the client requests a sign of life (RES-11); 0 for never.
        begun: the messages that the server has received in part: by number, the bytes that have arrived (RES-13).
    """

    token: str
    epoch: str
    resumed: bool
    reason: str | None
    received: int
    missing: frozenset[int]
    heartbeat: float
    begun: dict[int, int]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The result of a successful hello (HELLO-2, EXT-2). Released servers send only part of it.

    Attributes:
        client_id: see Link.
        max_frame: the most bytes in a frame that the server accepts, including the header (G2-5).
        features: see Link.
        server: see Link.
        resume: None if the server sent nothing about it.
    """

    client_id: str
    max_frame: int
    features: tuple[str, ...]
    server: dict[str, Value]
    resume: Resumed | None


NOBODY = Welcome("", FIRST_FRAME_SIZE, (), {}, None)
"""Before the first."""


def hello_of(secret: str | None, features: Sequence[str], resume: Mapping[str, Value] | None) -> dict[str, Value]:
    """The argument of hello (HELLO-1, EXT-1, RES-1)."""
    token: dict[str, Value] = {} if secret is None else {"secret": secret}
    token.update(features=list(features), client={"name": "wslink-python", "version": __version__})
    if resume is not None:
        token["resume"] = dict(resume)
    return token


def read_welcome(result: Value) -> Welcome:
    """Parse the result of hello.

    Raises:
        ConnectionClosed: it is malformed.
    """
    try:
        resume = result.get("resume")
        return Welcome(
            str(result["clientID"]),
            _frame_size(result.get("maxMsgSize", FIRST_FRAME_SIZE)),
            tuple(result.get("features", ())),
            dict(result.get("server", {})),
            None if resume is None else _read_resumed(resume),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ConnectionClosed(1006, f"the server's answer to hello makes no sense: {shown(result)}") from error


def _read_resumed(given: Value) -> Resumed:
    resumed = given["resumed"] is True
    reason = given.get("reason")
    return Resumed(
        str(given["token"]),
        str(given["epoch"]),
        resumed,
        reason if isinstance(reason, str) else None,
        _count(given["received"]) if resumed else 0,
        frozenset(map(_count, given.get("missing", ()))),
        _seconds(given.get("heartbeat", 0)),
        {_count(number): _count(size) for number, size in given.get("begun", ())},
    )


def _seconds(value: Value) -> float:
    """Seconds of silence; 0 for never, and for NaN."""
    seconds = float(value)
    return min(seconds, MAX_HEARTBEAT) if seconds > 0 else 0.0


def _frame_size(value: Value) -> int:
    size = int(value)
    if size <= HEADER_LENGTH:
        raise ValueError("a frame holds more than its header")
    return size


def _count(value: Value) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number of messages")
    return value
