"""The inspector's routes: its page, which holds nothing, and what only the server's secret opens."""

from __future__ import annotations

import asyncio
import hmac
import itertools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from aiohttp import web

from wslink import observe
from wslink.errors import CLIENT_ERROR, INVALID_PARAMS, CallError, MethodNotFound, NotSerializable
from wslink.http.pages import PRIVATE, STYLE, page_file
from wslink.hub import contract
from wslink.hub.gate import Gate
from wslink.hub.hub import Hub
from wslink.observe.inspector import Inspector
from wslink.observe.summary import whole
from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Dispatcher
from wslink.session.identity import ANONYMOUS, Credentials, Identity, Opening
from wslink.wire.messages import Request
from wslink.wire.value import Value

PAGE = Path(observe.__file__).parent / "page"
FILES = (STYLE, "inspector.css", "inspector.js")
MAX_CALLS = 16
"""Calls that the form may have under way."""
CALL_TIMEOUT = 60.0
"""Seconds after which a call of the form is cancelled."""

Tell = Callable[[web.Request], Awaitable[Value]]


class CallRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What the form sends."""

    method: str
    args: list[Value] = []
    kwargs: dict[str, Value] = {}


class Form:
    """The caller of what the form calls (rpc.call.Caller): somebody without a name, as all whom the secret lets in."""

    id: str = "inspector"
    user: str = ""
    attributes: Mapping[str, Value] = {}
    groups: tuple[str, ...] = ()
    address: str

    def __init__(self, address: str) -> None:
        self.address = address

    def disconnect(self, reason: str = "") -> None:
        """It has no connection."""

    async def call(
        self,
        method: str,
        /,
        *args: Value,
        timeout: float | None = None,
        on_progress: Callable[[Value], object] | None = None,
        **kwargs: Value,
    ) -> Value:
        raise CallError(CLIENT_ERROR, "the inspector's form cannot be called")


class Answer:
    """What a call of the form is answered (rpc.dispatcher.Responder).

    Attributes:
        arrived: JSON: `result` as text, or `error`.
    """

    streams: None = None

    def __init__(self) -> None:
        self.arrived: asyncio.Future[dict[str, Value]] = asyncio.get_running_loop().create_future()

    def result(self, id_: str, value: Value, method: str | None = None) -> None:
        try:
            self._set({"result": whole(value)})
        except (NotSerializable, TypeError, ValueError, RecursionError) as error:
            self.error(id_, CLIENT_ERROR, f"the result cannot be shown: {error}")

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        return value

    def error(self, id_: str, code: int, message: str, data: Value = None) -> None:
        error = {"code": code, "message": message}
        if data is not None:
            try:
                error["data"] = whole(data)
            except (NotSerializable, TypeError, ValueError, RecursionError):
                error["data"] = "which cannot be shown"
        self._set({"error": error})

    def _set(self, answer: dict[str, Value]) -> None:
        if not self.arrived.done():
            self.arrived.set_result(answer)

    def unknown(self, request: Request) -> None:
        error = MethodNotFound("Method not found", request.method[:200])
        self.error(request.id, error.code, error.message, error.data)

    def reporter(self, call: Call) -> None:
        return None

    def full(self) -> None:
        """There is one call."""

    def room(self) -> None:
        """There is one call."""


class Inspecting:
    """Serves the inspector.

    Args:
        hub: of the server.
        inspector: watches it.
        secret: opens it, whatever else lets clients in.
        route: of its page.
    """

    def __init__(self, hub: Hub, inspector: Inspector, secret: str, route: str) -> None:
        self._hub = hub
        self._inspector = inspector
        self._secret = secret
        self._route = route
        self._gate = Gate(self._identify)
        self._calls = 0
        self._numbers = itertools.count()

    def add_to(self, application: web.Application) -> None:
        """Add the routes, in front of those of the client's files."""
        router, route = application.router, self._route
        router.add_get(route, self._page)
        router.add_get(f"{route}/", self._to_page)
        for name in FILES:
            router.add_get(f"{route}/{name}", self._file(name))
        router.add_get(f"{route}/overview", self._guarded(self._overview))
        router.add_get(f"{route}/log", self._guarded(self._log))
        router.add_get(f"{route}/contract", self._guarded(self._contract))
        router.add_post(f"{route}/call", self._guarded(self._call))

    # The page -------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return page_file(PAGE, "inspector.html")

    async def _to_page(self, request: web.Request) -> web.StreamResponse:
        # Relative, so that it holds below any path that a proxy puts before it.
        raise web.HTTPFound(f"../{self._route.rpartition('/')[2]}")

    def _file(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return page_file(PAGE, name)

        return serve

    # What the secret opens --------------------------------------------------------

    def _guarded(self, tell: Tell) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A handler that answers what `tell` does, as JSON, to those who bring the secret as a bearer token."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not await self._may_look(request):
                return web.json_response(
                    {"error": "the server's secret is needed, as a bearer token"},
                    status=401, headers={**PRIVATE, "WWW-Authenticate": "Bearer"},
                )  # fmt: skip
            return web.json_response(await tell(request), headers=PRIVATE)

        return handle

    async def _may_look(self, request: web.Request) -> bool:
        """Whether a request brings the secret; whoever guesses has to wait as at a hello."""
        kind, _, offered = request.headers.get("Authorization", "").partition(" ")
        shown = kind.lower() == "bearer"
        opening = Opening(request.headers, request.remote or "")
        verdict = self._gate.admit(Credentials(offered.strip(), shown, "inspector", {}, opening))
        if verdict is not None and not isinstance(verdict, Identity):
            verdict = await verdict
        return verdict is not None

    def _identify(self, credentials: Credentials) -> Identity | None:
        offered = credentials.secret.encode(errors="surrogateescape")
        right = hmac.compare_digest(offered, self._secret.encode(errors="surrogatepass"))
        return ANONYMOUS if credentials.has_secret and right else None

    async def _overview(self, request: web.Request) -> Value:
        return self._inspector.overview()

    async def _log(self, request: web.Request) -> Value:
        since = request.query.get("since", "")
        return self._inspector.log(int(since) if since.isascii() and since.isdigit() and len(since) < 19 else None)

    async def _contract(self, request: web.Request) -> Value:
        hub = self._hub
        return contract.describe(dict(hub.service.methods), dict(hub.subscriptions.topics), {})

    async def _call(self, request: web.Request) -> Value:
        """Call a method as a client that the secret let in."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=CallRequest)
        except (msgspec.DecodeError, RecursionError) as error:
            return {"error": {"code": INVALID_PARAMS, "message": str(error)}}
        if self._calls >= MAX_CALLS:
            return {"error": {"code": CLIENT_ERROR, "message": f"{MAX_CALLS} calls of this form are under way"}}
        answer = Answer()
        dispatcher = Dispatcher(self._hub.service, answer)
        id_ = f"rpc:inspector:{next(self._numbers)}"
        self._calls += 1
        try:
            dispatcher.start(Request(wanted.method, id_, wanted.args, wanted.kwargs), Form(request.remote or ""))
            return await asyncio.wait_for(answer.arrived, CALL_TIMEOUT)
        except asyncio.TimeoutError:
            message = f"it took longer than {CALL_TIMEOUT:g} s, and is given up"
            return {"error": {"code": CLIENT_ERROR, "message": message}}
        finally:
            self._calls -= 1
            dispatcher.leave()
