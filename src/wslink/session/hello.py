"""Parsing and answering hello (HELLO, EXT). Values in, values out."""

from __future__ import annotations

import msgspec

from wslink.errors import AuthenticationError, InvalidParams
from wslink.session.resumption import Return
from wslink.version import __version__
from wslink.wire.messages import HELLO, RESUME, Request
from wslink.wire.value import Value

FIRST = Return()
"""The resumption data of a client's first hello."""
MAX_TOKEN = 64
"""The longest token that is accepted, in characters."""


class Hello(msgspec.Struct):
    """A client's hello.

    Attributes:
        secret: the secret that it contained, of any type; None if there was none.
        has_secret: whether it contained a secret (HELLO-7).
        features: the announced features (EXT-1).
        client: the client's description of itself, for logs; may be empty.
        back: the resumption data (RES-1).
    """

    secret: Value
    has_secret: bool
    features: tuple[str, ...] = ()
    client: dict[str, Value] = msgspec.field(default_factory=dict)
    back: Return = FIRST


def parse_hello(request: Request, max_missing: int) -> Hello:
    """Parse a hello.

    Args:
        max_missing: message numbers that it may list as missing.

    Raises:
        AuthenticationError: its argument is not a map.
        InvalidParams: its features are not a list of strings, or the resumption data is malformed.
    """
    token = request.args[0] if request.args else {}
    if not isinstance(token, dict):
        raise AuthenticationError("Authentication failed")
    features = [] if token.get("features") is None else token["features"]
    if not isinstance(features, list) or (features and not all(isinstance(name, str) for name in features)):
        raise InvalidParams("wslink.hello: 'features' must be a list of strings", request.method)
    client = token.get("client")
    back = _parse_return(token.get("resume"), max_missing) if RESUME in features else FIRST
    known = client if isinstance(client, dict) else {}
    return Hello(token.get("secret"), "secret" in token, tuple(features), known, back)


def _parse_return(given: Value, max_missing: int) -> Return:
    """Parse the resumption data of a hello (RES-1). Raises InvalidParams."""
    if given is None:
        return Return()
    if not isinstance(given, dict):
        raise InvalidParams("wslink.hello: 'resume' must be a map", HELLO)
    token, received, missing = given.get("token", ""), given.get("received", 0), given.get("missing", [])
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise InvalidParams("wslink.hello: the token of 'resume' must be a string of 32 hexadecimal digits", HELLO)
    numbers = [received, *missing] if isinstance(missing, list) and len(missing) <= max_missing else [None]
    if not all(type(number) is int and number >= 0 for number in numbers):
        allowed = f"an integer of 0 or more, and a list of at most {max_missing} of these"
        raise InvalidParams(f"wslink.hello: 'received' and 'missing' of 'resume' must be {allowed}", HELLO)
    return Return(token, received, tuple(missing), _parse_begun(given.get("begun", []), max_missing))


def _parse_begun(given: Value, most: int) -> tuple[tuple[int, int], ...]:
    """Parse the list of partly received messages: their numbers, and the bytes that have arrived (RES-13). Raises
    InvalidParams."""
    pairs: list[Value] = given if isinstance(given, list) and len(given) <= most else [None]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(one) is int and one > 0 for one in pair):
            message = f"wslink.hello: 'begun' of 'resume' must be a list of at most {most} pairs of a number and bytes"
            raise InvalidParams(message, HELLO)
    return tuple((number, size) for number, size in pairs)


def answer(hello: Hello, client_id: str, version: int, max_frame: int, features: tuple[str, ...]) -> dict[str, Value]:
    """Return the result of a successful hello on a connection of protocol `version` (HELLO-2, EXT-2)."""
    result: dict[str, Value] = {"clientID": client_id}
    if version == 2:
        result["maxMsgSize"] = max_frame
    if hello.features or hello.client:
        result.update(features=list(features), server={"name": "wslink", "version": __version__})
    return result
