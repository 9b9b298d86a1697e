"""The functions of the released API's `wslink.server`: options, and three ways to start."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from wslink import server as package
from wslink.compat import backends
from wslink.compat import websocket as wsl  # noqa: F401
from wslink.compat.core import event_loop
from wslink.compat.hosting import host_of
from wslink.compat.ssl_context import generate_ssl_pair, load_ssl_context
from wslink.compat.websocket import ServerProtocol
from wslink.hub.latest import parse_latest

ws_server: Any = None
"""The server that `start_webserver` made last, until then: it is kept as `wslink.server.ws_server`."""

SHORT_OPTIONS = {
    "--debug": "-d",
    "--nosignalhandlers": "-s",
    "--host": "-i",
    "--timeout": "-t",
    "--content": "-c",
    "--authKey": "-a",
    "--ws-endpoint": "-ws",
}
"""Those of 1.x, which `start` accepts; applications that share their parser need them for themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options of `start_webserver` to a parser, and return it."""
    return _add_arguments(parser, {})


def _add_arguments(parser: argparse.ArgumentParser, short: dict[str, str]) -> argparse.ArgumentParser:
    def add(flag: str, **how: Any) -> None:
        parser.add_argument(*filter(None, (short.get(flag), flag)), **how)

    debugging = "log debugging messages, name the line that blocks the event loop, and send stack traces to clients"
    add("--debug", action="store_true", help=debugging)
    add("--nosignalhandlers", action="store_true", help="leave SIGINT and SIGTERM alone")
    add("--host", default="localhost", help="interface to listen on (default: localhost)")
    parser.add_argument("-p", "--port", type=int, default=8080, help="port; 0 picks a free one (default: 8080)")
    add("--timeout", type=int, default=300, help="seconds without a client before it stops; 0 never (default: 300)")
    add("--content", default="", metavar="DIR", help="directory of static files to serve at /")
    add("--authKey", default="wslink-secret", help="secret that clients must present")
    add("--ws-endpoint", default="ws", dest="ws", metavar="ROUTE", help="route of the WebSocket (default: ws)")
    add("--no-ws-endpoint", action="store_true", dest="nows", help="serve no WebSocket")
    add("--no-ws-compress", action="store_true", dest="nowscompress", help="accept no permessage-deflate")
    add("--fs-endpoints", default="", dest="fsEndpoints", metavar="A=DIR|B=DIR", help="more static files")
    add("--reverse-url", default=None, dest="reverse_url", metavar="URL", help="dial a relay instead of listening")
    add("--ssl", default="", metavar="CERT,KEY", help="serve over TLS: two PEM files, or adhoc")
    return parser


def start(
    argv: Sequence[str] | None = None,
    protocol: type[ServerProtocol] = ServerProtocol,
    description: str = "wslink web-server",
) -> Any:
    """Serve `protocol` until it stops, with options from the command line (`argv`, or the process's own).

    `protocol.configure(options)` is called first, if there is such a static method.
    """
    parser = _add_arguments(argparse.ArgumentParser(description=description), SHORT_OPTIONS)
    # Not of `add_arguments`: the parser of an application that shares it may have this flag.
    parser.add_argument("--latest", metavar="TOPICS", help="topics for which only the newest publication waits")
    args = parser.parse_args(argv)
    with contextlib.suppress(AttributeError):
        protocol.configure(args)  # type: ignore[attr-defined]
    return start_webserver(options=args, protocol=protocol)


def start_webserver(
    options: Any,
    protocol: Callable[[], Any] = ServerProtocol,
    disableLogging: bool = False,
    backend: str = "aiohttp",
    exec_mode: str = "main",
    **_: Any,
) -> Any:
    """Create a protocol and a server for it, and serve.

    Args:
        options: attributes as `add_arguments` creates them; any may be absent.
        protocol: creates the ServerProtocol. Its `set_server(server)`, if there is one, is called before the server
            starts, and its `port_callback(port)` once it accepts connections.
        disableLogging: do not change the level of the `wslink` logger.
        backend: aiohttp, generic, jupyter or tornado.
        exec_mode: "main" serves until the server stops and returns None; "task" returns a task that serves; "coroutine"
            returns a coroutine that does.

    Raises:
        OSError: the port cannot be bound (from "main", the task or the coroutine).
        Exception: the backend or mode is unknown.
    """
    instance = protocol()
    if instance.secret is None:  # no client could authenticate
        instance.updateSecret(getattr(options, "authKey", "wslink-secret"))
    web_app = create_webserver(_configuration(options, instance, disableLogging), backend)
    host_of(instance).hub.subscriptions.deliver_latest(parse_latest(getattr(options, "latest", None) or ""))
    package.ws_server = web_app
    if hasattr(instance, "set_server"):
        instance.set_server(web_app)
    return _run(web_app, getattr(instance, "port_callback", None), exec_mode)


def _run(web_app: Any, port_callback: Any, exec_mode: str) -> Any:
    if exec_mode == "main":
        _run_until_it_stops(web_app, port_callback)
        return None
    if exec_mode == "task":
        return event_loop().create_task(web_app.start(port_callback))
    if exec_mode == "coroutine":
        return web_app.start(port_callback)
    raise Exception(f"Unknown exec_mode: {exec_mode}; modes: main, task, coroutine")


def _run_until_it_stops(web_app: Any, port_callback: Any) -> None:
    loop = event_loop()
    try:
        loop.run_until_complete(web_app.start(port_callback))
    except SystemExit:  # of a callback or a task: what follows the start runs, as with released servers
        loop.run_until_complete(web_app.stop())


def stop_webserver() -> asyncio.Task[None] | None:
    """Stop the server that was created last. Returns a task, or None if there is none."""
    return event_loop().create_task(package.ws_server.stop()) if package.ws_server else None


def get_port() -> int:
    """The port of the server that was created last; -1 if there is none."""
    return int(package.ws_server.get_port()) if package.ws_server else -1


def create_webserver(server_config: dict[str, Any], backend: str = "aiohttp") -> Any:
    """Create a server of a backend, without starting it. See backends.create_webserver."""
    return backends.create_webserver(server_config, backend)


# Options as a configuration


def _configuration(options: Any, protocol: Any, disable_logging: bool) -> dict[str, Any]:
    debug = bool(getattr(options, "debug", False))
    level = None if disable_logging else logging.DEBUG if debug else logging.ERROR
    config: dict[str, Any] = {"logging_level": level, "debug": debug}
    config["timeout"] = getattr(options, "timeout", 300)
    reverse_url = getattr(options, "reverse_url", None) or os.environ.get("WSLINK_REVERSE_URL", "").strip()
    if reverse_url:
        config["handle_signals"] = not getattr(options, "nosignalhandlers", False)
        return {**config, "reverse_url": reverse_url, "reconnect": True, "ws_protocol": protocol}
    config["host"] = getattr(options, "host", "localhost")
    config["port"] = getattr(options, "port", 8080)
    config["handle_signals"] = not getattr(options, "nosignalhandlers", False)
    config["static_follow_symlinks"] = getattr(options, "static_follow_symlinks", False)
    if not getattr(options, "nows", False):
        config["ws"] = {getattr(options, "ws", "ws"): protocol}
    if getattr(options, "nowscompress", False):
        config["ws_compress"] = False
    static = _static(options)
    if static:
        config["static"] = static
    if getattr(options, "ssl", ""):
        config["ssl"] = _ssl(options)
    return config


def _static(options: Any) -> dict[str, str]:
    content = getattr(options, "content", "")
    static = {"/": content} if content else {}
    for pair in (getattr(options, "fsEndpoints", "") or "").split("|"):
        route, separator, directory = pair.partition("=")
        if separator and directory:  # which a variable that is not set leaves empty
            static[route] = directory
    return static


def _ssl(options: Any) -> Any:
    if options.ssl == "adhoc":
        options.ssl = generate_ssl_pair(getattr(options, "host", "localhost"))
    elif isinstance(options.ssl, str):
        options.ssl = tuple(name.strip() for name in options.ssl.split(","))
    if len(options.ssl) != 2:
        raise Exception("ssl configure must be 'adhoc', or two files 'cert,key'")
    return load_ssl_context(*options.ssl)
