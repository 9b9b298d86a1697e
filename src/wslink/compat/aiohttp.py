"""The aiohttp engine: HTTP and WebSocket on one port.

The settings below are the released API's: software assigns them, and each server that is made reads the environment
into them first.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping
from typing import Any

from wslink import settings as environment
from wslink.wire.limits import MIB

__all__ = [
    "HEART_BEAT",
    "HTTP_HEADERS",
    "MAX_MSG_SIZE",
    "MSG_OVERHEAD",
    "STATE_KEY",
    "WS_COMPRESS",
    "AioHttpWsHandler",
    "ReverseWebAppServer",
    "WebAppServer",
    "create_webserver",
    "http_headers",
    "is_binary",
    "reload_settings",
]

logger: logging.Logger = logging.getLogger("wslink.backends.aiohttp")

MAX_MSG_SIZE: int = 4 * MIB
"""WSLINK_MAX_MSG_SIZE: the largest chunk, in bytes."""
MSG_OVERHEAD: int = 4096
"""WSLINK_MSG_OVERHEAD: allowance over it in the limit on frames, in bytes."""
HEART_BEAT: float | None = 30
"""WSLINK_HEART_BEAT: seconds between pings; None for none."""
HTTP_HEADERS: Mapping[str, str] | None = None
"""WSLINK_HTTP_HEADERS: headers that every response gets. It is read at each request, so a map may be kept alive."""
WS_COMPRESS: bool = True
"""WSLINK_WS_COMPRESS: whether permessage-deflate is accepted."""

STATE_KEY: Any
AioHttpWsHandler: Any
ReverseWebAppServer: Any
WebAppServer: Any
http_headers: Any

_HOMES = {
    "AbstractWebApp": "protocol",
    "WslinkHandler": "protocol",
    "_fix_path": "webapp",
    "_root_handler": "webpages",
    "aiohttp_web": "webpages",
    "STATE_KEY": "webpages",
    "AioHttpWsHandler": "webapp",
    "ReverseWebAppServer": "reverse",
    "WebAppServer": "webapp",
    "http_headers": "webpages",
    "startWebServer": "launcher",
}


def reload_settings() -> None:
    """Read the environment into the settings of this module. What is not set there stays as it is."""
    global MAX_MSG_SIZE, MSG_OVERHEAD, HEART_BEAT, HTTP_HEADERS, WS_COMPRESS
    MAX_MSG_SIZE = environment.read("WSLINK_MAX_MSG_SIZE", int, MAX_MSG_SIZE)
    MSG_OVERHEAD = environment.read("WSLINK_MSG_OVERHEAD", int, MSG_OVERHEAD)
    seconds = environment.read("WSLINK_HEART_BEAT", float, HEART_BEAT)
    HEART_BEAT = seconds if seconds is not None and seconds >= 1 else None
    WS_COMPRESS = environment.read("WSLINK_WS_COMPRESS", bool, WS_COMPRESS)
    path = os.environ.get("WSLINK_HTTP_HEADERS")
    if path:
        HTTP_HEADERS = environment.read_headers(path)


def create_webserver(server_config: dict[str, Any]) -> Any:
    """A WebAppServer, or with `reverse_url` a ReverseWebAppServer."""
    name = "ReverseWebAppServer" if server_config.get("reverse_url") else "WebAppServer"
    return __getattr__(name)(server_config)


def is_binary(msg: Any) -> bool:
    """Whether an aiohttp message is a binary frame."""
    from aiohttp import WSMsgType

    return bool(msg.type == WSMsgType.BINARY)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"wslink.compat.{_HOMES[name]}"), name)
