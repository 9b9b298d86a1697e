"""Authentication of a request's user.

An authenticator is a callable that is created from the configuration's `authentication.options`. It returns the user's
name for a request, or None if it is not authenticated. To use your own, name it: `"type": "package.module:name"`.
"""

from __future__ import annotations

import importlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from aiohttp import web

from wslink.errors import UsageError
from wslink.http.tokens import MIN_TOKEN, WatchedFile, bearer_token, same
from wslink.launcher.configuration import Authentication
from wslink.settings import is_header

Authenticator = Callable[[web.Request], "str | None"]


def find_authenticator(setting: Authentication | None, trusted_proxies: Iterable[str]) -> Authenticator | None:
    """Create the configured authenticator; None if anyone may start sessions.

    Raises:
        UsageError: there is none with that name, or its options are not valid.
    """
    if setting is None:
        return None
    make = _KINDS.get(setting.type)
    try:
        if make is not None:
            return make({"trusted_proxies": tuple(trusted_proxies), **setting.options})
        module, _, attribute = setting.type.partition(":")
        return cast(Authenticator, getattr(importlib.import_module(module), attribute)(dict(setting.options)))
    except KeyError as error:
        raise UsageError(f"authentication {setting.type!r}: the option {error} is missing") from error
    except (ImportError, AttributeError, ValueError, OSError) as error:
        known = ", ".join(_KINDS)
        raise UsageError(
            f"authentication {setting.type!r}: one of {known}, or package.module:name ({error})"
        ) from error


def header(options: Mapping[str, Any]) -> Authenticator:
    """Trust a header that a trusted proxy sets. Options: `name`, and `trusted_proxies` (addresses)."""
    name, proxies = str(options["name"]), networks(options["trusted_proxies"])
    if not is_header(name, ""):
        raise ValueError(f"{name!r} is not the name of a header")

    def authenticate(request: web.Request) -> str | None:
        # A proxy sends one. If there are two, the first is the client's own claim.
        (user, *others) = request.headers.getall(name, ("",))
        return (user or None) if not others and is_in(request.remote, proxies) else None

    return authenticate


def bearer(options: Mapping[str, Any]) -> Authenticator:
    """Compare the bearer token with those in a file. Option: `token_file`, with a line `user token` per user, which is
    read again after it has changed. Lines that begin with `#` are ignored."""
    file: WatchedFile[_Pairs] = WatchedFile(options["token_file"], _pairs, ())

    def authenticate(request: web.Request) -> str | None:
        given = bearer_token(request)
        # All are compared, so that the time reveals nothing.
        matching = [user for user, token in file.value if same(given, token)]
        return matching[0] if matching else None

    return authenticate


_Pairs = tuple[tuple[str, str], ...]


def _pairs(text: str) -> _Pairs:
    lines = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    pairs = [line for line in lines if line]
    if not pairs or any(len(pair) != 2 or len(pair[1]) < MIN_TOKEN for pair in pairs):
        raise UsageError(f"token_file: each line is a user and a token of at least {MIN_TOKEN} characters")
    return tuple((user, token) for user, token in pairs)


def jwt(options: Mapping[str, Any]) -> Authenticator:
    """Verify a JSON Web Token. Options: `key_file` (PEM or secret), `algorithms`, and optionally `audience`, `issuer`
    and `claim` (`sub`), whose value is the user's name."""
    try:
        import jwt as library
    except ImportError as error:
        raise UsageError("authentication 'jwt' needs the PyJWT package: pip install 'wslink[jwt]'") from error
    key, algorithms = WatchedFile(options["key_file"], str.strip, ""), list(options["algorithms"])
    claim = str(options.get("claim", "sub"))

    def authenticate(request: web.Request) -> str | None:
        try:
            claims = library.decode(
                bearer_token(request),
                key.value,
                algorithms=algorithms,
                audience=options.get("audience"),
                issuer=options.get("issuer"),
                options={"require": ["exp"]},
            )
        except library.PyJWTError:
            return None
        return str(claims[claim]) if claims.get(claim) else None

    return authenticate


def openid(options: Mapping[str, Any]) -> Authenticator:
    """Let people sign in with an OpenID provider; see `wslink.launcher.openid`."""
    try:
        import authlib  # noqa: F401
    except ImportError as error:
        raise UsageError("authentication 'openid' needs the Authlib package: pip install 'wslink[openid]'") from error
    from wslink.launcher.openid import OpenIDConnect

    return OpenIDConnect(options)


_KINDS: dict[str, Callable[[Mapping[str, Any]], Authenticator]] = {
    "header": header,
    "bearer": bearer,
    "jwt": jwt,
    "openid": openid,
}


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(addresses: Iterable[str]) -> list[Network]:
    """Raises ValueError."""
    return [ipaddress.ip_network(address) for address in addresses]


def is_in(address: str | None, allowed: Iterable[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(found in network for network in allowed)


def client_of(request: web.Request, proxies: Iterable[Network]) -> str:
    """The address for which limits count a request. Behind a trusted proxy it is the one that the proxy reports, or ""
    if it reports none, because otherwise all of its users would share one count."""
    proxies = list(proxies)
    if not is_in(request.remote, proxies):
        return request.remote or ""
    # Proxies append what they see: anything before the last address that is not a proxy is the client's own claim.
    hops = [hop.strip() for hop in ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")]
    return next((hop for hop in reversed(hops) if hop and not is_in(hop, proxies)), "")
