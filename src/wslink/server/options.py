"""Every setting of a server, declared once: the command line, the environment and docs/settings.md derive from here."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wslink import settings as variables
from wslink.errors import UsageError
from wslink.hub.life import READY_MSG
from wslink.hub.work import STOP_TIMEOUT


def _option(default: Any, help_: str, *, flags: Sequence[str] = (), env: str = "", metavar: str = "") -> Any:
    metadata = {"help": help_, "flags": tuple(flags), "env": env, "metavar": metavar}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Options:
    """How an application is served. `App.run` and `App.serve` take these as keywords."""

    host: str = _option("localhost", "interface to listen on; 0.0.0.0 for all", flags=("-i", "--host"))
    port: int = _option(8080, "port to listen on; 0 picks a free one", flags=("-p", "--port"))
    timeout: float = _option(
        0.0, "seconds without a client after which the server stops; 0 never", flags=("-t", "--timeout")
    )
    content: str = _option("", "folder of static files to serve at /", flags=("-c", "--content"), metavar="DIR")
    fs_endpoints: str = _option("", "more folders of static files: a=PATH|b=PATH", flags=("--fs-endpoints",))
    secret: str = _option(
        "", "what clients need to come in; instead of the App's own", flags=("-a", "--authKey"), env="WSLINK_SECRET"
    )
    ws: str = _option("ws", "route of the WebSocket", flags=("-ws", "--ws-endpoint"), metavar="ROUTE")
    ws_endpoint: bool = _option(True, "accept WebSockets", flags=("--no-ws-endpoint",))
    ssl: str = _option(
        "", "serve over TLS: cert,key (PEM files) or adhoc for a self-signed certificate", flags=("--ssl",)
    )
    origins: str = _option(
        "", "pages that may connect beside the server's own: origins separated by commas; * for all",
        flags=("--origins",), env="WSLINK_ORIGINS",
    )  # fmt: skip
    reverse_url: str = _option(
        "", "relay to dial instead of listening, such as ws://relay:8080/meet/42",
        flags=("--reverse-url",), env="WSLINK_REVERSE_URL", metavar="URL",
    )  # fmt: skip
    reverse_token_file: str = _option(
        "", "file with the token that the relay wants of processes", env="WSLINK_REVERSE_TOKEN_FILE", metavar="FILE"
    )
    debug: bool = _option(False, "log debugging messages, and send stack traces to clients", flags=("-d", "--debug"))
    handle_signals: bool = _option(True, "stop at SIGINT and SIGTERM", flags=("-s", "--nosignalhandlers"))
    stop_timeout: float = _option(
        STOP_TIMEOUT, "seconds after which a server that stops does not wait for calls any longer",
        flags=("--stop-timeout",), env="WSLINK_STOP_TIMEOUT",
    )  # fmt: skip
    threads: int = _option(
        0, "threads for methods that block; 0 for 4 more than there are processors, from 16 to 32",
        flags=("--threads",), env="WSLINK_THREADS",
    )  # fmt: skip
    heart_beat: float = _option(30.0, "seconds between heartbeats; below 1 turns them off", env="WSLINK_HEART_BEAT")
    ws_compress: bool = _option(
        True,
        "compress what gets smaller by it, where the client offers it",
        flags=("--no-ws-compress",),
        env="WSLINK_WS_COMPRESS",
    )
    engine: str = _option(
        "auto", "what carries the frames: picows, aiohttp, or auto for the faster one that is installed",
        env="WSLINK_ENGINE",
    )  # fmt: skip
    loop: str = _option("asyncio", "what App.run runs on: asyncio or uvloop", flags=("--loop",), env="WSLINK_LOOP")
    ready_msg: str = _option(
        READY_MSG,
        "line printed to stdout once the port accepts; empty prints nothing",
        env="WSLINK_READY_MSG",
    )
    http_headers: str = _option(
        "", "JSON file of response headers for static files", env="WSLINK_HTTP_HEADERS", metavar="FILE"
    )
    follow_symlinks: bool = _option(False, "let static files be symbolic links", env="WSLINK_FOLLOW_SYMLINKS")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **settings: Any) -> Options:
        """`settings`, with the environment's values and then the defaults for what they leave out.

        Raises:
            UsageError: naming the setting that is unknown or malformed, and what is allowed.
        """
        names = {option.name for option in dataclasses.fields(cls)}
        for name in settings:
            if name not in names:
                raise UsageError(f"unknown setting {name!r}; settings: {', '.join(sorted(names))}")
        for option in dataclasses.fields(cls):
            variable = option.metadata["env"]
            if option.name not in settings and environment.get(variable):
                settings[option.name] = variables.parse(variable, environment[variable], type(option.default))
            elif option.name == "ready_msg" and variable in environment:
                settings.setdefault("ready_msg", environment[variable])
        return cls(**settings)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every option that has one. What is not given is absent from the result."""
    for option in dataclasses.fields(Options):
        flags, metavar = option.metadata["flags"], option.metadata["metavar"]
        if not flags:
            continue
        common: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS, "help": _help(option)}
        if isinstance(option.default, bool):
            parser.add_argument(*flags, action="store_false" if option.default else "store_true", **common)
        else:
            parser.add_argument(*flags, type=type(option.default), metavar=metavar or option.name.upper(), **common)


def _shown(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default) or "none"


def _help(option: dataclasses.Field[Any]) -> str:
    if isinstance(option.default, bool):
        return f"do not {option.metadata['help']}" if option.default else str(option.metadata["help"])
    return f"{option.metadata['help']} (default: {_shown(option.default)})"
