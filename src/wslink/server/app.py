"""App: the API that applications are written against."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wslink import settings as environment
from wslink.console import say
from wslink.errors import INVALID_PARAMS, MethodError, UsageError
from wslink.hosts import is_loopback
from wslink.http.static import CLIENT
from wslink.hub.hub import Hub
from wslink.hub.latest import parse_latest
from wslink.server import loop, workers
from wslink.server.clientele import Clientele
from wslink.server.limits import limits as limits_of_environment
from wslink.server.observing import Observing
from wslink.server.offering import Offering
from wslink.server.options import ASGI_SETTINGS, AsgiSettings, Options, Settings
from wslink.server.server import Server
from wslink.server.sharing import Sharing
from wslink.session.features import Feature
from wslink.session.identity import ANONYMOUS, Authenticator, Credentials, Identity
from wslink.wire.limits import Limits
from wslink.wire.messages import is_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from wslink.client.connect import Connecting
    from wslink.cluster.memory_log import MemoryBroker
    from wslink.http.asgi import AsgiApplication
    from wslink.observe.recorder import Recorder
    from wslink.transport.comm import CommEndpoint, Send

logger: logging.Logger = logging.getLogger("wslink")

AuthenticatorT = TypeVar("AuthenticatorT", bound=Authenticator)


class Included(Protocol):
    """An App's interface to included protocols."""

    @property
    def validators(self) -> list[Any]:
        """The protocols that authenticate clients themselves."""

    async def identify(self, credentials: Credentials) -> Identity | None: ...


class Includable(Protocol):
    """A protocol that an App can include: a LinkProtocol or ServerProtocol of the released API."""

    def __wslink_include__(self, hub: Hub, included: Any, stop: Callable[[], Any]) -> Included:
        """Join `hub`, next to the protocols included before; `stop` stops the server. Raises UsageError."""


class App(Offering, Clientele, Sharing):
    """An application: methods that clients call and topics that they subscribe to.

    Args:
        secret: the secret that clients must present. By default it is random, and pages that this server serves on its
            own machine need none.
        limits: bounds on the resources that clients can use. By default `Limits()`, with the variables of
            docs/settings.md read from the environment when the application is served.
        features: protocol extensions to offer in addition to those of this package; see wslink.session.features.
        broker: the broker that connects the workers of this application, on this machine and others:
            "redis://HOST:PORT/DB" or "nats://HOST:PORT" (docs/scale.md). They share publications, clients and groups.
        describe: let clients call `wslink.describe`, which returns what `App.describe` does.
        recorder: keeps calls and messages in memory until they are written to a file (docs/recording.md).

    Attributes:
        secret: the secret.
    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        limits: Limits | None = None,
        features: Iterable[Feature] = (),
        describe: bool = True,
        broker: str | MemoryBroker = "",
        recorder: Recorder | None = None,
    ) -> None:
        if secret is not None and (not isinstance(secret, str) or not secret or not is_text(secret)):
            raise TypeError("secret must be text that is not empty, or None for a random one")
        self.secret: str = secret or workers.shared_secret() or secrets.token_urlsafe(32)
        if limits is not None and not isinstance(limits, Limits):
            raise UsageError(f"limits must be wslink.Limits, not {limits!r:.100}")
        self._pages_need_secret = secret is not None
        self._limits = limits
        hub = Hub(self, self._authenticate, limits or Limits(), features=features)
        if broker:
            from wslink.cluster.cluster import Cluster

            hub.cluster = Cluster(hub, broker)
        Clientele.__init__(self, hub)
        Offering.__init__(self, hub)
        self._server: Server | None = None
        self._observing = Observing(hub)
        self._included: Included | None = None
        self.method("application.exit", run="loop")(self._exit)
        self.method("application.exit.later", run="loop")(self._exit_later)
        if describe:
            self.method("wslink.describe", run="loop")(self.describe)
        if recorder is not None:
            self._observing.record(recorder, lambda: self.secret)

    def authenticate(self, authenticator: AuthenticatorT) -> AuthenticatorT:
        """Decorator: authenticate clients with `authenticator(credentials)`, sync or async, instead of the secret.

        It gets the client's Credentials (`secret`, `headers`, `cookies`, `query`, `address`, `subprotocols`, and
        `scope` in an ASGI mount) and returns an Identity, or None to refuse the client. An exception is logged and
        refuses the client, too.
        """
        self._hub.authenticate_with(authenticator)
        return authenticator

    def include(self, protocol: Includable) -> None:
        """Serve protocols of the released API: link protocols, or one ServerProtocol with its link protocols.

        Their methods are registered next to the App's own, their publications reach the App's clients, and their
        `onConnect` and `onClose` are called. The App's secret applies, unless a protocol has a `validateToken`.

        Raises:
            UsageError: for a second ServerProtocol, a method whose name is taken, or anything else than a protocol.
        """
        if not hasattr(protocol, "__wslink_include__"):
            raise UsageError(f"an App includes a LinkProtocol or a ServerProtocol, not {protocol!r:.100}")
        self._included = protocol.__wslink_include__(self._hub, self._included, self._exit)

    # Serving ------------------------------------------------------------------

    async def serve(self, **settings: Unpack[Settings]) -> Server:
        """Serve inside the running event loop; returns once the port accepts.

        Args:
            settings: as in docs/settings.md: host="localhost", port=8080 (0 picks one), content="" (directory of static
                files), timeout=0, ws="ws", ssl="", origins="", ...

        Raises:
            OSError: if the port cannot be had.
            UsageError: if a setting is unknown or not valid, or the App is being served already.
        """
        if self._server is not None and not self._server.stopped:
            raise UsageError(f"this App is being served already, on port {self._server.port}")
        options = self._configure(settings)
        options.warn_of(settings)
        self._pages_need_secret = self._pages_need_secret or not is_loopback(options.host)
        server = Server(self._hub, options, self.secret if self._pages_need_secret else None, self._observing)
        self._observing.configure(options, self.secret)
        before, self._server = self._server, server
        try:
            await server.start()
        except BaseException:
            self._server = before
            raise
        return server

    def connect(self, *, timeout: float = 10.0, handlers: Mapping[str, Callable[..., Any]] | None = None) -> Connecting:
        """Connect to the application inside this process: `async with app.connect() as link`.

        It needs neither a port nor a server, so tests can call methods and subscribe to topics like a client. The link
        presents the secret. If the application is being served, call this in the event loop that serves it.

        Args:
            timeout: seconds for hello.
            handlers: functions that the application may call, by name; see `wslink.connect`.
        """
        from wslink.server.inside import connect_inside

        self._prepare()
        return connect_inside(self._hub, self.secret, timeout, handlers or {})

    def over_comm(self, send: Send) -> CommEndpoint:
        """Serve pages over a Jupyter comm in the running event loop. `wslink.notebook.show` calls this.

        Args:
            send: sends a message's content and buffers to the pages.

        Raises:
            UsageError: the application is being served with application_thread=True.
        """
        from wslink.transport.comm import CommEndpoint

        if self._hub.application is not None:
            raise UsageError("application_thread=True serves clients in another event loop: they need its port")
        self._prepare()
        return CommEndpoint(self._hub, send)

    def _prepare(self) -> None:
        """Read the settings, unless a server already has."""
        if self._server is None or self._server.stopped:
            self._configure({})

    def asgi(self, **settings: Unpack[AsgiSettings]) -> AsgiApplication:
        """An ASGI application to mount in Starlette, FastAPI or any other.

        It serves the WebSocket (`ws`) and the JavaScript client (`wslink/client.js`) below its mount. Everything else
        (host, port, TLS, static files, heartbeat, compression) is up to the outer application and its server.

        Args:
            settings: those of docs/settings.md that apply: ws="ws", origins="", secret="", debug=False, threads=0,
                latest="".

        Raises:
            UsageError: if a setting is unknown or not valid.
        """
        for name in settings:
            if name not in ASGI_SETTINGS:
                raise UsageError(
                    loop.NO_THREAD.format("App.asgi")
                    if name == "application_thread"
                    else f"asgi() has no setting {name!r}: that is up to the outer application and its server; "
                    f"settings: {', '.join(sorted(ASGI_SETTINGS))}"
                )
        options = self._configure(settings)
        loop.warn_of_thread("App.asgi")
        if workers.is_one_of_several() and self._hub.cluster is None:
            logger.warning(workers.WARNING, "" if self._pages_need_secret else workers.EACH_ITS_OWN)
        self._hub.reopen()
        origins = environment.split_origins(options.origins)
        from wslink.http.asgi import AsgiApplication
        from wslink.server.shared_life import SharedLife

        life, guarded = SharedLife(self._hub), not self._pages_need_secret
        return AsgiApplication(self._hub, options.ws, origins, CLIENT, life, guarded)

    def _configure(self, settings: Settings | AsgiSettings) -> Options:
        options = Options.from_environment(**settings)
        self._hub.configure(self._limits or limits_of_environment(), options.debug, options.threads, options.heart_beat)
        self._hub.subscriptions.deliver_latest(parse_latest(options.latest))
        if options.debug:
            logging.getLogger("wslink").setLevel(logging.DEBUG)
        if options.secret:
            self.secret = options.secret
            self._pages_need_secret = True
        return options

    def run(self, **settings: Unpack[Settings]) -> None:
        """Serve until a signal, the idle timeout or a client's `application.exit` ends it. See `serve` for the
        settings and what it raises."""
        loop.refuse_running_loop()
        options = Options.from_environment(**settings)
        loop.run(lambda: self._run(settings), options.loop, options.stop_timeout)

    async def _run(self, settings: Settings) -> None:
        server = await self.serve(**settings)
        if workers.is_supervised():
            workers.report_ready(server.url, server.stop_soon)
        else:
            say(f"wslink: serving on {server.url}")
        if inspector := self._observing.address(server.url):
            say(f"wslink: inspector at {inspector}")
        try:
            await server.wait_closed()
        finally:
            await server.stop()

    # What every server does -----------------------------------------------------

    def _authenticate(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        """Authenticate a client by the secret, or by an included protocol that has its own authentication."""
        if self._included is not None and self._included.validators and credentials.has_secret:
            verdict: Awaitable[Identity | None] = self._hub.perform(partial(self._included.identify, credentials))
            return verdict
        secret = credentials.secret
        if not credentials.has_secret:  # HELLO-7
            opening = credentials.opening
            accepted = opening.vouched or (opening.same_origin and not self._pages_need_secret)
        elif not isinstance(secret, str):  # HELLO-3
            accepted = False
        else:
            accepted = hmac.compare_digest(secret.encode(errors="surrogatepass"), self.secret.encode())
        return ANONYMOUS if accepted else None

    def _exit(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop_soon()

    def _exit_later(self, secondsLater: float = 60) -> None:
        """Stop the server after some seconds."""
        if math.isnan(secondsLater):  # NaN would break the timers of some event loops
            raise MethodError("secondsLater must be a number of seconds", code=INVALID_PARAMS)
        asyncio.get_running_loop().call_later(max(secondsLater, 0), self._exit)
