"""The paths of a server, each of which belongs to one setting."""

from __future__ import annotations

from collections.abc import Iterator

from wslink.errors import UsageError
from wslink.http.monitoring import METRICS
from wslink.http.static import CLIENT
from wslink.server.observing import INSPECTOR
from wslink.server.options import Options

CLIENT_FILES = "/wslink/"
"""The paths of the JavaScript client and of the inspector."""


def directories(options: Options) -> list[tuple[str, str]]:
    """Return routes and directories of static files, the most specific first. The route of `content` is "".

    Raises:
        UsageError: `fs_endpoints` is malformed.
    """
    found = [("", options.content)] if options.content else []
    for pair in filter(None, options.fs_endpoints.split("|")):
        route, separator, directory = pair.partition("=")
        if not separator:
            raise UsageError(f"fs_endpoints: {pair!r} is not of the form route=DIRECTORY")
        if not route.strip("/"):
            raise UsageError(f"fs_endpoints: {pair!r} has no route: what is served at / is content")
        found.append((f"/{route.strip('/')}", directory))
    return sorted(found, key=lambda one: len(one[0]), reverse=True)


def socket_route(options: Options) -> str | None:
    """The route of the WebSocket; None if there is none."""
    return f"/{options.ws.strip('/')}" if options.ws_endpoint else None


def check(options: Options) -> None:
    """Refuse routes that no request can match, and settings that claim the same path.

    Raises:
        UsageError: the message names the settings and the path.
    """
    owners: dict[str, str] = {}
    for setting, path in _claims(options):
        if not set("{}?#").isdisjoint(path):
            raise UsageError(f"ws, fs_endpoints: {path!r} is not a route: it must not hold {{ }} ? or #")
        if path in owners:
            raise UsageError(f"{owners[path]} and {setting} both claim the path {path}: choose another for one of them")
        owners[path] = setting
        if owner := _owner_below_client(path, setting, options):
            raise UsageError(f"{setting}: the path {path} is that of {owner}: choose another")


def _claims(options: Options) -> Iterator[tuple[str, str]]:
    """The settings and the paths that they claim."""
    if options.metrics:
        yield "metrics", METRICS
    if (route := socket_route(options)) is not None:
        yield "ws", route
    for route, _ in directories(options):
        yield "fs_endpoints" if route else "content", route or "/"


def _owner_below_client(path: str, setting: str, options: Options) -> str:
    """Return what is already served at `path` if that is below CLIENT_FILES; "" for nothing. A WebSocket may share a
    path with the client's files; they would hide a directory."""
    if not f"{path}/".startswith(CLIENT_FILES):
        return ""
    if options.inspector and f"{path}/".startswith(f"{INSPECTOR}/"):
        return "the inspector"
    hidden = setting == "fs_endpoints" or (CLIENT / path.removeprefix(CLIENT_FILES)).is_file()
    return "the JavaScript client" if hidden else ""
