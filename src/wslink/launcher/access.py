"""Authentication of requests: users and the administrator, with limits on guessing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from aiohttp import web

from wslink.errors import RequestRefused
from wslink.http.sparse import sparse_logger
from wslink.http.tokens import bearer_token, same
from wslink.http.tries import Tries
from wslink.launcher.authentication import Authenticator, Network, client_of

refusals: logging.Logger = sparse_logger("wslink.launcher.refused")


class Access:
    """Identifies users and the administrator by their requests. Wrong tokens are logged and counted by address; after
    too many, an address has to wait.

    Args:
        authenticate: identifies the user of a request; None if no authentication is needed.
        admin_token: returns the administrator's token; empty if there is no administrator.
        proxies: the proxies whose `X-Forwarded-For` is trusted.
    """

    def __init__(
        self, authenticate: Authenticator | None, admin_token: Callable[[], str], proxies: Iterable[Network]
    ) -> None:
        self._tries = Tries()
        self.change(authenticate, admin_token, proxies)

    def change(
        self, authenticate: Authenticator | None, admin_token: Callable[[], str], proxies: Iterable[Network]
    ) -> None:
        """Use other settings from now on. Counts of wrong tokens are kept."""
        self._authenticate = authenticate
        self._admin_token = admin_token
        self._proxies = tuple(proxies)

    @property
    def has_admin(self) -> bool:
        """Whether there is an administrator."""
        return bool(self._admin_token())

    def known_user(self, request: web.Request) -> str:
        """The user's name; "" if a request does not identify one, or its address has to wait. Nothing is counted."""
        if self._authenticate is None or (bearer_token(request) and self._wait(request)):
            return ""
        return _user_of(self._authenticate, request)

    @property
    def authenticator(self) -> Authenticator | None:
        """Identifies users; None if no authentication is needed."""
        return self._authenticate

    @property
    def has_users(self) -> bool:
        """Whether requests have to be authenticated."""
        return self._authenticate is not None

    def client(self, request: web.Request) -> str:
        """The address for which limits count a request; "" if a trusted proxy does not report it."""
        return client_of(request, self._proxies)

    def address(self, request: web.Request) -> str:
        """Where a request comes from, for logs and for counting attempts."""
        return self.client(request) or request.remote or "unknown"

    def is_admin(self, request: web.Request) -> bool:
        """Whether a request has the administrator's token. Always False while its address has to wait."""
        token = bearer_token(request)
        if not token or self._wait(request):
            return False
        expected = self._admin_token()
        if same(token, expected):
            return True
        if expected and self._authenticate is None:  # or it may be a user's
            self._refused(request, "this is not the administrator's token")
        return False

    def admit_admin(self, request: web.Request) -> None:
        """Check that the request comes from the administrator.

        Raises:
            RequestRefused: with 404, or with 429 while the request's address has to wait.
        """
        self._check_tries(request)
        if not same(bearer_token(request), self._admin_token()):
            self._refused(request, "the administrator's token is needed")
            raise RequestRefused("There is nothing here", 404)

    def user(self, request: web.Request) -> str | None:
        """Return the user's name; None if no authentication is needed.

        Raises:
            RequestRefused: with 401 if the request is not authenticated, with 429 while its address has to wait.
        """
        if self._authenticate is None:
            return None
        self._check_tries(request)
        user = _user_of(self._authenticate, request)
        if not user:
            self._refused(request, "authentication is needed")
            raise RequestRefused("Authentication is needed", 401)
        return user

    def _wait(self, request: web.Request) -> float:
        return self._tries.wait(self.address(request))

    def _check_tries(self, request: web.Request) -> None:
        wait = self._wait(request) if bearer_token(request) else 0
        if wait:
            raise RequestRefused("Too many wrong tokens came from this address; try again later", 429, wait)

    def _refused(self, request: web.Request, why: str) -> None:
        address = self.address(request)
        told = request.method, request.path, address, why
        if not bearer_token(request):
            refusals.info("%s %.80r from %s was refused: %s", *told)
            return
        count = self._tries.wrong(address)
        text = "%s %.80r from %s was refused: %s; wrong tokens from there: %d, the next is looked at in %.0f s"
        refusals.warning(text, *told, count, self._tries.wait(address))


def _user_of(authenticate: Authenticator, request: web.Request) -> str:
    """The user's name; "" for nobody, and for what is no name, which would stand in logs."""
    user: object = authenticate(request)
    if user is not None and not isinstance(user, str):  # of an authenticator of the application's own
        refusals.error("authentication gives a user's name or None, not %.100r", user)
        return ""
    return user if user and user.isprintable() else ""
