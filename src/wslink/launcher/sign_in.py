"""Routes for signing in, if the launcher's authentication supports it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from aiohttp import web

from wslink.errors import RequestRefused
from wslink.http.tries import Tries
from wslink.launcher.access import Access


@runtime_checkable
class SignsIn(Protocol):
    """An authenticator to which people sign in with a browser."""

    async def login(self, request: web.Request) -> web.Response:
        """Start a sign-in."""

    async def callback(self, request: web.Request) -> web.Response:
        """Complete it."""

    def logout(self) -> web.Response:
        """Sign out."""


class SignIn:
    """`<endpoint>/login`, `<endpoint>/login/callback` and POST of `<endpoint>/logout`; 404 if there is no signing in.

    Failed callbacks are counted by address, separately from wrong tokens: each one causes a request to the provider.

    Args:
        access: has the authenticator, which may change.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tries = Tries()

    def add_to(self, application: web.Application, endpoint: str) -> None:
        """Add the routes, before those that match anything below the endpoint."""
        application.router.add_get(f"{endpoint}/login", self._login)
        application.router.add_get(f"{endpoint}/login/callback", self._callback)
        application.router.add_post(f"{endpoint}/logout", self._logout)

    @property
    def offered(self) -> bool:
        """Whether people can sign in."""
        return isinstance(self._access.authenticator, SignsIn)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        return await self._found().login(request)

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        found, address = self._found(), self._access.address(request)
        if wait := self._tries.wait(address):
            raise RequestRefused("Too many sign-ins failed from this address; try again later", 429, wait)
        try:
            return await found.callback(request)
        except RequestRefused as error:
            if error.status == 403:
                self._tries.wrong(address)
            raise

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        return self._found().logout()

    def _found(self) -> SignsIn:
        authenticator = self._access.authenticator
        if not isinstance(authenticator, SignsIn):
            raise web.HTTPNotFound
        return authenticator
