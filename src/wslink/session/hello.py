"""Hello: what a client says of itself, and the answer (HELLO, EXT). All of it from values."""

from __future__ import annotations

from dataclasses import dataclass, field

from wslink.errors import AuthenticationError, InvalidParams
from wslink.version import __version__
from wslink.wire.messages import Request
from wslink.wire.value import Value


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's hello.

    Attributes:
        secret: what it sent as its secret, of any type; None where it sent none.
        has_secret: whether it sent one at all (HELLO-7).
        features: the features it announced (EXT-1).
        client: what it says of itself, for logs; may be empty.
    """

    secret: Value
    has_secret: bool
    features: tuple[str, ...] = ()
    client: dict[str, Value] = field(default_factory=dict)

    @property
    def announces(self) -> bool:
        """Whether it speaks extensions at all (EXT-2)."""
        return bool(self.features or self.client)


def parse_hello(request: Request) -> Hello:
    """Read a hello.

    Raises:
        AuthenticationError: if its one argument is not a map.
        InvalidParams: if its features are not a list of strings.
    """
    token = request.args[0] if request.args else {}
    if not isinstance(token, dict):
        raise AuthenticationError("Authentication failed")
    features = [] if token.get("features") is None else token["features"]
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise InvalidParams("wslink.hello: 'features' must be a list of strings", request.method)
    client = token.get("client")
    return Hello(token.get("secret"), "secret" in token, tuple(features), client if isinstance(client, dict) else {})


def answer(hello: Hello, client_id: str, version: int, max_frame: int, features: tuple[str, ...]) -> dict[str, Value]:
    """The result of a good hello on a connection of protocol `version` (HELLO-2, EXT-2)."""
    result: dict[str, Value] = {"clientID": client_id}
    if version == 2:
        result["maxMsgSize"] = max_frame
    if hello.announces:
        result.update(features=list(features), server={"name": "wslink", "version": __version__})
    return result
