"""Authentication and authorization of a launcher, from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wslink.errors import UsageError
from wslink.http.tokens import token_file
from wslink.launcher.authentication import Authenticator, Network, find_authenticator, networks
from wslink.launcher.configuration import Settings


@dataclass(frozen=True)
class Policy:
    """The configured authentication. Its files have been read, and are read again when they change.

    Attributes:
        authenticate: identifies the user of a request; None if no authentication is needed.
        admin_token: returns the administrator's token; empty if there is no administrator.
        proxies: the proxies whose `X-Forwarded-For` is trusted.
    """

    authenticate: Authenticator | None
    admin_token: Callable[[], str]
    proxies: list[Network]

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """Raises UsageError if a setting is not valid."""
        try:
            proxies = networks(settings.trusted_proxies)
        except ValueError as error:
            raise UsageError(f"configuration.trusted_proxies: {error}") from error
        token = token_file("configuration.admin_token_file", settings.admin_token_file)
        authenticate = find_authenticator(settings.authentication, settings.trusted_proxies)
        return cls(authenticate, lambda: token.value, proxies)
