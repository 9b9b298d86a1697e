"""A live link between a Python process and the browser: RPC, publish/subscribe and binary data over one WebSocket.

Public names are imported on first use, so that `import wslink` is cheap.
"""

from __future__ import annotations

from wslink.version import __version__

TYPE_CHECKING = False  # type checkers treat it as True; importing `typing` would cost more than the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from wslink.client.backoff import Reconnect
    from wslink.client.connect import connect
    from wslink.client.events import Reconnected
    from wslink.client.link import Link
    from wslink.client.subscription import ClientSubscription
    from wslink.client.transfers import Transfer
    from wslink.compat.core import register, schedule_callback, schedule_coroutine
    from wslink.errors import (
        AuthenticationError,
        CallError,
        ClientGone,
        ConnectionClosed,
        InvalidParams,
        LinkError,
        MethodError,
        NotAuthorized,
        NotSerializable,
        SubscriptionOverflow,
        UsageError,
        WslinkError,
    )
    from wslink.hub.clients import Client
    from wslink.hub.groups import Group
    from wslink.hub.topics import Subscription, Topic
    from wslink.hub.viewer import Viewer
    from wslink.observe.recorder import Recorder
    from wslink.rpc.arrays import Array, Int64
    from wslink.rpc.call import Call
    from wslink.server.app import App
    from wslink.server.server import Server
    from wslink.session.identity import Credentials, Identity
    from wslink.wire.arrays import RawArray
    from wslink.wire.limits import Limits

__license__ = "BSD-3-Clause"

_HOMES = {
    "Identity": "wslink.session.identity",
    "Credentials": "wslink.session.identity",
    "Client": "wslink.hub.clients",
    "Group": "wslink.hub.groups",
    "App": "wslink.server.app",
    "Array": "wslink.rpc.arrays",
    "Int64": "wslink.rpc.arrays",
    "RawArray": "wslink.wire.arrays",
    "AuthenticationError": "wslink.errors",
    "Call": "wslink.rpc.call",
    "CallError": "wslink.errors",
    "ClientGone": "wslink.errors",
    "ClientSubscription": "wslink.client.subscription",
    "ConnectionClosed": "wslink.errors",
    "InvalidParams": "wslink.errors",
    "Limits": "wslink.wire.limits",
    "Link": "wslink.client.link",
    "LinkError": "wslink.errors",
    "MethodError": "wslink.errors",
    "NotAuthorized": "wslink.errors",
    "NotSerializable": "wslink.errors",
    "Reconnect": "wslink.client.backoff",
    "Reconnected": "wslink.client.events",
    "Recorder": "wslink.observe.recorder",
    "Server": "wslink.server.server",
    "Subscription": "wslink.hub.topics",
    "SubscriptionOverflow": "wslink.errors",
    "Topic": "wslink.hub.topics",
    "Transfer": "wslink.client.transfers",
    "UsageError": "wslink.errors",
    "Viewer": "wslink.hub.viewer",
    "WslinkError": "wslink.errors",
    "connect": "wslink.client.connect",
    "checkURI": "wslink.compat.uri",
    "register": "wslink.compat.core",
    "schedule_callback": "wslink.compat.core",
    "schedule_coroutine": "wslink.compat.core",
}

__all__ = [
    "App",
    "Array",
    "AuthenticationError",
    "Call",
    "CallError",
    "Client",
    "ClientGone",
    "ClientSubscription",
    "ConnectionClosed",
    "Credentials",
    "Group",
    "Identity",
    "Int64",
    "InvalidParams",
    "Limits",
    "Link",
    "LinkError",
    "MethodError",
    "NotAuthorized",
    "NotSerializable",
    "RawArray",
    "Reconnect",
    "Reconnected",
    "Recorder",
    "Server",
    "Subscription",
    "SubscriptionOverflow",
    "Topic",
    "Transfer",
    "UsageError",
    "Viewer",
    "WslinkError",
    "__license__",
    "__version__",
    "connect",
    "register",
    "schedule_callback",
    "schedule_coroutine",
]


_MODULES = ("core", "uri")
"""Submodules that released packages import with the package itself."""


def __getattr__(name: str) -> Any:
    from wslink.lazy import load

    if name in _MODULES:
        return load(f"wslink.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wslink' has no attribute {name!r}")
    value = getattr(load(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
