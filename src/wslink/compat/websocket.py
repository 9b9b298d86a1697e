"""Base classes for applications of the released API: LinkProtocol and ServerProtocol."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from wslink.compat.core import register, schedule_callback
from wslink.compat.emitter import EventEmitter
from wslink.compat.monitor import NetworkMonitor
from wslink.errors import UsageError

__all__ = ["EventEmitter", "LinkProtocol", "NetworkMonitor", "ServerProtocol", "exportRpc", "noop"]

exportRpc = register
"""The name of `register` in applications of old."""

logger: logging.Logger = logging.getLogger("wslink.websocket")


def noop(*_: Any, **__: Any) -> None:
    """The `publish` and `addAttachment` of protocols without a server."""


def _on_connect(self: Any, request: Any, client_id: str) -> None:
    """Called when a connection is open, before its client has authenticated. An exception refuses the client."""


_on_connect.does_nothing = True  # type: ignore[attr-defined]


class LinkProtocol:
    """Methods that clients call, as a class of an application.

    Subclasses may skip `super().__init__()`. Building a server calls `init`.

    Attributes:
        publish: `publish(topic, data, client_id=None, skip_last_active_client=False)`, once there is a server.
        addAttachment: `addAttachment(payload)`, once there is a server.
        stopServer: stops the server; exists once there is one.
        coreServer: the ServerProtocol that it is registered with, or None.
    """

    publish: Any
    addAttachment: Any
    stopServer: Any
    coreServer: Any

    def __init__(self) -> None:
        self.publish = noop
        self.addAttachment = noop
        self.coreServer = None

    def init(
        self, publish: Callable[..., Any], addAttachment: Callable[..., Any], stopServer: Callable[..., Any]
    ) -> None:
        """Set what a server offers, replacing attributes of the instance or the class with these names."""
        self.publish = publish
        self.addAttachment = addAttachment
        self.stopServer = stopServer

    def getSharedObject(self, key: str) -> Any:
        """What `ServerProtocol.setSharedObject` stored under `key`, or None."""
        return self.coreServer.getSharedObject(key) if self.coreServer else None

    onConnect = _on_connect

    def onClose(self, client_id: str) -> None:
        """Called when a connection has ended."""

    def __wslink_include__(self, hub: Any, included: Any, stop: Callable[..., Any]) -> Any:
        """See App.include."""
        from wslink.compat import hosting

        server = ServerProtocol() if included is None else included.protocol
        server.registerLinkProtocol(self)
        return hosting.include(server, hub, stop) if included is None else hosting.include_more(included, stop)


class ServerProtocol:
    """An application's server, consisting of link protocols.

    Attributes:
        network_monitor: see NetworkMonitor.
        log_emitter: an EventEmitter of `exception`, `error`, `critical`, `info` and `debug`.
        linkProtocols: the link protocols, and this object itself once a server is built.
        secret: the secret that clients must present; with None no client can authenticate.
    """

    publish: Any = staticmethod(noop)
    addAttachment: Any = staticmethod(noop)
    stopServer: Any = staticmethod(noop)

    def __init__(self) -> None:
        self.network_monitor: NetworkMonitor = NetworkMonitor()
        self.log_emitter: EventEmitter = EventEmitter(
            allowed_events=["exception", "error", "critical", "info", "debug"]
        )
        self.linkProtocols: list[Any] = []
        self.secret: Any = None
        self.initialize()

    def initialize(self) -> None:
        """For subclasses: register link protocols, update the secret."""

    def init(
        self, publish: Callable[..., Any], addAttachment: Callable[..., Any], stopServer: Callable[..., Any]
    ) -> None:
        """See LinkProtocol.init."""
        self.publish = publish
        self.addAttachment = addAttachment
        self.stopServer = stopServer

    onConnect = _on_connect

    def onClose(self, client_id: str) -> None:
        """See LinkProtocol.onClose."""

    def __wslink_include__(self, hub: Any, included: Any, stop: Callable[..., Any]) -> Any:
        """See App.include."""
        from wslink.compat import hosting

        if included is not None:
            raise UsageError("an App includes one ServerProtocol, before its link protocols")
        return hosting.include(self, hub, stop)

    def setSharedObject(self, key: str, shared: Any) -> None:
        """Share an object among the protocols; None removes it. Works before `super().__init__()`."""
        objects = self.__dict__.setdefault("sharedObjects", {})
        if shared is None and key in objects:
            del objects[key]
        else:
            objects[key] = shared

    def getSharedObject(self, key: str) -> Any:
        """The object that is shared under `key`, or None."""
        return self.__dict__.get("sharedObjects", {}).get(key)

    def registerLinkProtocol(self, protocol: LinkProtocol) -> None:
        """Let clients call the methods of `protocol`, once a server is built."""
        assert isinstance(protocol, LinkProtocol)
        protocol.coreServer = self
        self.linkProtocols.append(protocol)

    def unregisterLinkProtocol(self, protocol: LinkProtocol) -> None:
        """Remove `protocol` from the list. A server that has been built keeps its methods."""
        assert isinstance(protocol, LinkProtocol)
        protocol.coreServer = None
        try:
            self.linkProtocols.remove(protocol)
        except ValueError:
            text = "a link protocol that is not registered cannot be unregistered"
            logger.error(text)
            self.log_emitter("error", text)

    def getLinkProtocols(self) -> list[Any]:
        """The list of the link protocols itself."""
        return self.linkProtocols

    def updateSecret(self, newSecret: Any) -> None:
        """Set the secret that clients must present from their next hello on."""
        self.secret = newSecret

    @register("application.exit")
    def exit(self) -> None:
        """Stop the server."""
        self.stopServer()

    @register("application.exit.later")
    def exitLater(self, secondsLater: float = 60) -> None:
        """Stop the server after some seconds."""
        schedule_callback(secondsLater, self.stopServer)
