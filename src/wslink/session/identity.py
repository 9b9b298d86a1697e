"""The credentials that clients present when they connect, and their identities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from wslink.errors import UsageError
from wslink.wire.messages import is_text

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Opening(msgspec.Struct, frozen=True):
    """How a connection was opened, as far as its transport knows.

    Attributes:
        headers: the request's headers. Lookup ignores case. Mappings with repeated headers have a `getall` method.
        address: the peer's IP address; "" if unknown.
        query: the query string of the request, without "?".
        same_origin: whether the request comes directly from a page of this server, opened on this machine (HELLO-7).
        request: the request itself, for observers of the compatibility API; None if no observer wants it.
        scope: the ASGI scope in an ASGI application, which contains the outer application's session and user.
        vouched: whether the transport itself authenticates the peer, so that no secret is needed: a page in a notebook
            uses the channel of the kernel, which its user controls (HELLO-7).
    """

    headers: Mapping[str, str] = NO_HEADERS
    address: str = ""
    query: str = ""
    same_origin: bool = False
    request: Any = None
    scope: Mapping[str, Any] | None = None
    vouched: bool = False


class Credentials(msgspec.Struct, frozen=True):
    """The credentials that a client presented, for the application's authentication.

    Attributes:
        secret: the secret in its hello, of any type; None if there was none.
        has_secret: whether hello contained a secret at all (HELLO-7).
        client_id: the id that the client will have.
        client: the name and version that the client reports, for logs; may be empty.
        opening: how the connection was opened.
    """

    secret: Any
    has_secret: bool
    client_id: str
    client: Mapping[str, Any]
    opening: Opening

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request that opened the connection."""
        return self.opening.headers

    @property
    def address(self) -> str:
        """The peer's IP address; "" if unknown."""
        return self.opening.address

    @property
    def scope(self) -> Mapping[str, Any] | None:
        """The ASGI scope, if the application is mounted in an ASGI application."""
        return self.opening.scope

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name, with quotes around values removed. Of several cookies with one name, the first is used,
        whose path is the most specific (RFC 6265, 5.4). Malformed ones are skipped."""
        found: dict[str, str] = {}
        for part in ";".join(self._every("Cookie")).split(";"):
            name, separator, value = part.strip().partition("=")
            if separator:
                found.setdefault(name.strip(), value.strip().strip('"'))
        return found

    @property
    def query(self) -> dict[str, str]:
        """The query parameters of the URL. For repeated names, the last value is used."""
        return dict(parse_qsl(self.opening.query, keep_blank_values=True))

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """The WebSocket subprotocols that the client offered."""
        offered = ",".join(self._every("Sec-WebSocket-Protocol")).split(",")
        return tuple(name.strip() for name in offered if name.strip())

    @property
    def same_origin(self) -> bool:
        """Whether the client is a page of this server, opened on this machine (HELLO-7)."""
        return self.opening.same_origin

    def _every(self, name: str) -> list[str]:
        """All values of a header, which may occur several times."""
        every = getattr(self.headers, "getall", None)
        return list(every(name, ())) if every is not None else [self.headers[name]] if name in self.headers else []


class Identity(msgspec.Struct, frozen=True):
    """The identity of a client.

    Attributes:
        user: the user's name; "" for an anonymous client.
        attributes: anything else that the application needs to know about the client, such as roles.
    """

    user: str = ""
    attributes: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if not isinstance(self.user, str) or not is_text(self.user):
            raise UsageError(f"Identity: user must be text, not {self.user!r:.100}")
        if not isinstance(self.attributes, Mapping):
            raise UsageError(f"Identity: attributes must be a mapping, not {self.attributes!r:.100}")


ANONYMOUS = Identity()
"""The identity of a client that authenticated with the secret."""

Authenticator = Callable[[Credentials], "Identity | Awaitable[Identity | None] | None"]
"""Authenticates a client at hello: returns its Identity, or None to refuse it, directly or as an awaitable."""
