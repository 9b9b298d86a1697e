"""A ServerProtocol, as the core sees it: all differences between the released API and the core are handled here."""

from __future__ import annotations

import asyncio
import functools
import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wslink.compat.core import schedule_coroutine
from wslink.compat.monitor import Tally
from wslink.compat.publish import as_attachment
from wslink.errors import RAISED, UsageError, WslinkError
from wslink.hub.hub import Hub
from wslink.rpc.call import current_call
from wslink.rpc.discarding import Concluded
from wslink.rpc.methods import NEVER_AWAITABLE, Method
from wslink.session.identity import ANONYMOUS, Credentials, Identity, Opening
from wslink.session.observers import Observer
from wslink.session.view import SessionView
from wslink.wire.limits import Limits
from wslink.wire.messages import VERSION, Request

logger: logging.Logger = logging.getLogger("wslink.protocol")

Function = Callable[..., Any]
ServerProtocol = Any
"""A wslink.compat.websocket.ServerProtocol: that module leads here, for `App.include`."""

EXIT = ("application.exit", "application.exit.later")


def core_id(client_id: str) -> str:
    """A client's id as the core spells it."""
    return f"c{client_id}"


def bare_id(client_id: str) -> str:
    """A client's id as the compatibility API spells it, without the leading `c`."""
    return client_id[1:]


class ProtocolHost(Observer):
    """The hub of one ServerProtocol, however many endpoints it is mounted on.

    Args:
        protocol: the ServerProtocol.
        hub: the hub of an App that includes the protocol. By default the protocol has its own hub, and authenticates
            clients.

    Attributes:
        protocol: the ServerProtocol.
        hub: its hub. Topics are open, and arguments of methods are not checked, as existing applications expect.
        functions: the object and function of each method, by name.
        handlers: the endpoints (WslinkHandler) whose connections belong here.
    """

    def __init__(self, protocol: ServerProtocol, hub: Hub | None = None) -> None:
        self.protocol = protocol
        self.functions: dict[str, tuple[Any, Function]] = {}
        self.handlers: list[Any] = []
        self._tally = Tally(protocol.network_monitor)
        self._ended = 0  # calls that have ended in this turn of the event loop
        if hub is None:
            self.hub: Hub = Hub(protocol, self._authenticate, Limits(), open_topics=True, observers=(self,))
        else:
            self.hub = hub
            hub.subscriptions.allow_any_topic()
            hub.observers.add(self)

    # Protocols ----------------------------------------------------------------

    @property
    def protocols(self) -> list[Any]:
        """The ServerProtocol, then its link protocols."""
        return [self.protocol, *[p for p in self.protocol.getLinkProtocols() if p is not self.protocol]]

    def collect(self, publish: Function, add_attachment: Function, stop: Function) -> None:
        """Register the methods of all protocols, and give the protocols what a server offers.

        Of methods with the same name, the later protocol's counts, and the ServerProtocol's takes precedence over all.

        Raises:
            UsageError: an App has a method with that name.
        """
        links = self.protocol.getLinkProtocols()
        if not any(link is self.protocol for link in links):
            links.append(self.protocol)
        first, *others = self.protocols
        for owner in (*others, first):
            owner.init(publish, add_attachment, stop)
            for _, function in inspect.getmembers(type(owner), inspect.isfunction):
                for entry in getattr(function, "_wslinkuris", ()):
                    self._add(entry["uri"], owner, function)

    def _add(self, uri: str, owner: Any, function: Function) -> None:
        known = uri in self.functions
        if not known and uri in EXIT and uri in self.hub.service.methods:
            return  # an App's own
        self.functions[uri] = owner, function
        whole = functools.partial(function, owner)
        # Released servers let calls go on whose client has gone.
        method = Method(uri, whole, checked=False, interceptors=(self._observed,), detached=True)
        self.hub.service.methods.add(method, replace=known)

    def stop(self) -> asyncio.TimerHandle:
        """Stop every server that the protocol is mounted on, after what is running has returned."""
        return schedule_coroutine(0, self._stop)

    async def _stop(self) -> None:
        apps = {id(app): app for app in (handler.web_app for handler in self.handlers) if app is not None}
        for app in apps.values():
            await app.stop()

    # Calls ----------------------------------------------------------------------

    def _observed(self, name: str, function: Function) -> Function:
        """An interceptor (rpc.interceptors): counts calls, reports exceptions, and records whose call ran last."""
        monitor, sessions = self.protocol.network_monitor, self.hub.sessions

        def call(*args: Any, **kwargs: Any) -> Any:
            monitor.on_enter()
            running = current_call.get()
            session = sessions.get(running.client.id) if running is not None else None
            if session is not None and session.route is not None and session.route.web_app is not None:
                session.route.web_app.last_active_client_id = session.client_id[1:]
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._raised(error)
                self._end()
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return Concluded(result, self._concluded)
            if self._ended == 0:  # as `_end` does, on the path of every call
                asyncio.get_running_loop().call_soon(self._let_go)
            self._ended += 1
            return result

        return call

    def _concluded(self, error: BaseException | None) -> None:
        if error is not None:
            self._raised(error)
        self._end()

    def _raised(self, error: BaseException) -> None:
        """A method raised `error`. If it was SystemExit, stop the server, so that the code after its start runs."""
        if isinstance(error, Exception):
            self.emit("exception", error)
        elif isinstance(error, (SystemExit, KeyboardInterrupt)):
            self.stop()

    def _end(self) -> None:
        # Later, when the response waits to be written and counts itself.
        if self._ended == 0:
            asyncio.get_running_loop().call_soon(self._let_go)
        self._ended += 1

    def _let_go(self) -> None:
        ended, self._ended = self._ended, 0
        for _ in range(ended):
            self.protocol.network_monitor.on_exit()

    # Publications -----------------------------------------------------------------

    def publish(
        self, topic: str, data: Any, client_id: str | None = None, skip_last_active_client: bool = False
    ) -> None:
        """Send `data` to every client, to one, or to all but the client whose call is running. May be called from any
        thread."""
        call = current_call.get()
        exclude = call.client.id if skip_last_active_client and call is not None else None
        to = core_id(client_id) if client_id else None
        if to is not None and not self.hub.knows(to):
            return  # as in every release
        try:
            if self.hub.subscriptions.publish(topic, data, to, exclude):
                pending_for_a_turn(self.hub, self.protocol.network_monitor)
        except (WslinkError, TypeError) as error:
            logger.error("what is published on %r cannot be sent: %s", topic, error)
            self.emit("error", f"what is published on {topic!r} cannot be sent: {error}")

    # Observer --------------------------------------------------

    def received(self, session: SessionView, request: Request) -> None:
        if self.protocol.log_emitter.has("debug"):
            envelope = {"wslink": VERSION, "id": request.id, "method": request.method, "args": request.args}
            self.emit("debug", f"wslink incoming msg {without_secrets({**envelope, 'kwargs': request.kwargs})}")

    def unknown(self, session: SessionView, request: Request) -> None:
        self.emit("error", f"Method not found: {request.method}")

    def queued(self, session: SessionView) -> None:
        application = self.hub.application
        if application is None:  # as `in_application` does
            self.protocol.network_monitor.on_enter()
        else:
            self._tally.count(application.post, entered=1)

    def settled(self, session: SessionView) -> None:
        application = self.hub.application
        if application is None:
            self.protocol.network_monitor.on_exit()
        else:
            self._tally.count(application.post, left=1)

    def emit(self, event: str, *args: Any) -> None:
        """Notify the protocol's listeners. Their exceptions are logged and not propagated."""
        if not self.hub.is_application_behind():
            self.hub.in_application(functools.partial(self._emit, event, *args))

    def _emit(self, event: str, *args: Any) -> None:
        try:
            self.protocol.log_emitter(event, *args)
        except RAISED:
            logger.exception("a listener of %r raised", event)

    # Clients ------------------------------------------------------------------------

    async def validate(self, token: Any, client_id: str) -> bool:
        """Whether `token` authenticates a client: decided by the protocols' own `validateToken`, or else by the
        secret."""
        validators = self.validators
        for validator in validators:
            if not await validator.validateToken(token, client_id):
                return False
        return bool(validators) or self._is_secret(token)

    @property
    def validators(self) -> list[Any]:
        """The protocols that authenticate clients themselves."""
        return [protocol for protocol in self.protocols if hasattr(protocol, "validateToken")]

    def _is_secret(self, token: Any) -> bool:
        secret = self.protocol.secret
        if not isinstance(token, str) or not isinstance(secret, str):  # HELLO-3
            return False
        return hmac.compare_digest(token.encode(errors="surrogatepass"), secret.encode(errors="surrogatepass"))

    def _authenticate(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        if not self.validators:
            return ANONYMOUS if self._is_secret(credentials.secret) else None
        return self.hub.perform(lambda: self.identify(credentials)) if credentials.has_secret else None

    async def identify(self, credentials: Credentials) -> Identity | None:
        """Authenticate by the protocols' own `validateToken`."""
        accepted = await self.validate(credentials.secret, bare_id(credentials.client_id))
        return ANONYMOUS if accepted else None

    def opened(self, session: SessionView, opening: Opening) -> None:
        if session.route is not None:
            session.route.attach(session)
        if self.hub.application is None:
            self._connect(session, opening)
        else:
            self.hub.in_application(functools.partial(self._connect_later, session, opening))

    def _connect(self, session: SessionView, opening: Opening) -> None:
        for protocol in self.protocols:
            if hasattr(protocol, "onConnect"):  # it need not derive from ours
                protocol.onConnect(opening.request, bare_id(session.client_id))

    def _connect_later(self, session: SessionView, opening: Opening) -> None:
        """Like `_connect`, on the application's thread, while the client says hello."""
        try:
            self._connect(session, opening)
        except RAISED:
            logger.exception("onConnect raised: client %s is refused", session.client_id)
            self.hub.on_loop(functools.partial(session.close, 1011, "the server failed to take the connection"))

    def wants_request(self) -> bool:
        return not all(map(_ignores_requests, self.protocols))

    def closed(self, session: SessionView) -> None:
        try:
            self.hub.in_application(functools.partial(self._tell_all_closed, session))
        finally:
            if session.route is not None:
                session.route.detach(session)

    def _tell_all_closed(self, session: SessionView) -> None:
        for protocol in self.protocols:
            if hasattr(protocol, "onClose"):
                self._tell_closed(protocol, session)

    def _tell_closed(self, protocol: Any, session: SessionView) -> None:
        try:
            protocol.onClose(bare_id(session.client_id))
        except RAISED as error:
            logger.exception("onClose of %s raised", type(protocol).__name__)
            self.emit("exception", error)


def pending_for_a_turn(hub: Hub, monitor: Any) -> None:
    """Released servers send a publication in the event loop's next turn: until then it counts as pending."""
    application = hub.application
    if application is not None:
        if application.is_current:  # until the other thread has sent it
            monitor.on_enter()
            application.send(functools.partial(application.post, monitor.on_exit))
    elif hub.on_its_thread:
        monitor.on_enter()
        asyncio.get_running_loop().call_soon(monitor.on_exit)


def _ignores_requests(protocol: Any) -> bool:
    """Whether its `onConnect` is the one that does nothing."""
    return hasattr(getattr(type(protocol), "onConnect", None), "does_nothing") and "onConnect" not in vars(protocol)


def host_of(protocol: ServerProtocol) -> ProtocolHost:
    """The host of `protocol`, which is created on first use."""
    host: ProtocolHost | None = protocol.__dict__.get("_wslink_host")
    if host is None:
        host = protocol.__dict__["_wslink_host"] = ProtocolHost(protocol)
    return host


def include(protocol: ServerProtocol, hub: Hub, stop: Function) -> ProtocolHost:
    """Connect `protocol` to the hub of an App, which `stop` stops.

    Raises:
        UsageError: the protocol already has a server, or the App has a method with the same name.
    """
    if "_wslink_host" in protocol.__dict__:
        raise UsageError(f"{type(protocol).__name__} has a server already")
    host = ProtocolHost(protocol, hub)
    host.collect(host.publish, as_attachment, stop)
    protocol.__dict__["_wslink_host"] = host
    return host


def include_more(host: ProtocolHost, stop: Function) -> ProtocolHost:
    """Register what was added to a protocol after `include`. Raises UsageError like `include`."""
    host.collect(host.publish, as_attachment, stop)
    return host


KNOWN_SECRETS = frozenset(("wslink-secret", "vtkweb-secret"))
"""What released packages take for the secret where nobody sets one."""


def has_known_secret(protocol: Any) -> bool:
    """Whether the secret of a ServerProtocol is the default of the released packages, and so protects nothing."""
    return isinstance(protocol.secret, str) and protocol.secret in KNOWN_SECRETS


def without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`, with the values of arguments named `secret` replaced by asterisks."""
    if not isinstance(payload.get("args"), list):
        return payload
    return {**payload, "args": [_starred(argument) for argument in payload["args"]]}


def _starred(argument: Any) -> Any:
    return {**argument, "secret": "*****"} if isinstance(argument, dict) and "secret" in argument else argument
