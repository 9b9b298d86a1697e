"""All settings of a server: keywords, flags, environment variables and docs/settings.md derive from these
declarations."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypedDict

from wslink.errors import UsageError
from wslink.settings import READY_MSG, STOP_TIMEOUT, option, read_options
from wslink.wire.messages import is_text

logger: logging.Logger = logging.getLogger("wslink")


class AsgiSettings(TypedDict, total=False):
    """The keywords of `App.asgi`. docs/settings.md documents them."""

    ws: str
    secret: str
    origins: str
    debug: bool
    threads: int
    latest: str


LISTENING = ("host", "port", "content", "fs_endpoints", "ws", "ws_endpoint", "ssl", "origins", "hosts", "metrics",
             "inspector", "http_headers", "follow_symlinks")  # fmt: skip
"""Settings of a server that listens: one that dials a relay takes no requests."""

ASGI_SETTINGS = frozenset(AsgiSettings.__annotations__)


class Settings(AsgiSettings, total=False):
    """The keywords of `App.run` and `App.serve`. docs/settings.md documents them."""

    host: str
    port: int
    timeout: float
    content: str | PathLike[str]
    fs_endpoints: str
    ws_endpoint: bool
    ssl: str
    hosts: str
    reverse_url: str
    reverse_token_file: str | PathLike[str]
    handle_signals: bool
    stop_timeout: float
    heart_beat: float
    ws_compress: bool
    engine: str
    loop: str
    application_thread: bool
    metrics: bool
    inspector: bool
    traces: bool
    recorder: int
    ready_msg: str
    http_headers: str | PathLike[str]
    follow_symlinks: bool


@dataclass(frozen=True, eq=False, repr=False)
class Options:
    """The settings of a server. `App.run` and `App.serve` take them as keywords."""

    host: str = option("localhost", "interface to listen on; 0.0.0.0 for all", flags=("-i", "--host"))
    port: int = option(8080, "port to listen on; 0 picks a free one", flags=("-p", "--port"), least=0, most=65535)
    timeout: float = option(
        0.0,
        "seconds without a client after which the server stops; 0 never",
        flags=("-t", "--timeout"),
        least=0,
    )
    content: str = option("", "directory of static files to serve at /", flags=("-c", "--content"), metavar="DIR")
    fs_endpoints: str = option("", "more directories of static files: a=PATH|b=PATH", flags=("--fs-endpoints",))
    secret: str = option(
        "",
        "secret that clients must present, in place of the App's own",
        flags=("-a", "--authKey", "--secret"),
        env="WSLINK_SECRET",
    )
    ws: str = option("ws", "route of the WebSocket", flags=("-ws", "--ws-endpoint"), metavar="ROUTE")
    ws_endpoint: bool = option(True, "accept WebSockets", flags=("--no-ws-endpoint",))
    ssl: str = option(
        "", "serve over TLS: cert,key (PEM files) or adhoc for a self-signed certificate", flags=("--ssl",)
    )
    origins: str = option(
        "", "origins of pages that may connect, in addition to the server's own, separated by commas; * for all",
        flags=("--origins",), env="WSLINK_ORIGINS",
    )  # fmt: skip
    hosts: str = option(
        "",
        "host names that requests may be for, separated by commas, in addition to loopback names, addresses and "
        "names without a dot; .example.org for all names below it; any name unless given",
        flags=("--hosts",), env="WSLINK_HOSTS",
    )  # fmt: skip
    reverse_url: str = option(
        "", "relay to dial instead of listening, such as ws://relay:8080/meet/42",
        flags=("--reverse-url",), env="WSLINK_REVERSE_URL", metavar="URL",
    )  # fmt: skip
    reverse_token_file: str = option(
        "", "file with the token that the relay requires of processes", env="WSLINK_REVERSE_TOKEN_FILE", metavar="FILE"
    )
    debug: bool = option(
        False, "log debugging messages, name the line that blocks the event loop, and send stack traces to clients",
        flags=("-d", "--debug"),
    )  # fmt: skip
    handle_signals: bool = option(True, "stop at SIGINT and SIGTERM", flags=("-s", "--nosignalhandlers"))
    stop_timeout: float = option(
        STOP_TIMEOUT, "seconds for which a server that stops waits for calls",
        flags=("--stop-timeout",), env="WSLINK_STOP_TIMEOUT", least=0,
    )  # fmt: skip
    threads: int = option(
        0, "threads for methods that block; 0 for the number of processors plus 4, from 16 to 32",
        flags=("--threads",), env="WSLINK_THREADS", least=0, most=1024,
    )  # fmt: skip
    latest: str = option(
        "",
        "topics of the released API for which only the newest publication waits per client, separated by commas; "
        "topic:name for the newest of each value of that entry of the payload",
        flags=("--latest",), env="WSLINK_LATEST", metavar="TOPICS",
    )  # fmt: skip
    heart_beat: float = option(30.0, "seconds between heartbeats; below 1 turns them off", env="WSLINK_HEART_BEAT")
    ws_compress: bool = option(
        True,
        "compress messages that get smaller, where the client offers it",
        flags=("--no-ws-compress",),
        env="WSLINK_WS_COMPRESS",
    )
    engine: str = option(
        "auto", "engine that carries the frames: picows, aiohttp, or auto for the faster one that is installed",
        env="WSLINK_ENGINE",
    )  # fmt: skip
    loop: str = option(
        "asyncio", "what App.run runs on: asyncio or uvloop", flags=("--loop",), env="WSLINK_LOOP",
        choices=("asyncio", "uvloop"),
    )  # fmt: skip
    application_thread: bool = option(
        False, "serve clients in a separate thread, so that methods that block do not hold up connections",
        flags=("--application-thread",), env="WSLINK_APPLICATION_THREAD",
    )  # fmt: skip
    metrics: bool = option(
        False,
        "serve /metrics to Prometheus, to programs on this machine and to requests with the secret as a bearer "
        "token",
        flags=("--metrics",), env="WSLINK_METRICS",
    )  # fmt: skip
    inspector: bool = option(
        False, "serve a page at /wslink/inspect that shows clients, topics, messages and calls, to those who know the "
        "secret",
        flags=("--inspector",), env="WSLINK_INSPECTOR",
    )  # fmt: skip
    traces: bool = option(
        False, "record calls with OpenTelemetry, and follow the traces of clients through them",
        flags=("--traces",), env="WSLINK_TRACES",
    )  # fmt: skip
    recorder: int = option(
        0, "bytes of calls and messages that are kept in memory for wslink record --ring; 0 keeps nothing",
        flags=("--recorder",), env="WSLINK_RECORDER", least=0,
    )  # fmt: skip
    ready_msg: str = option(
        READY_MSG,
        "line printed to stdout once the port accepts; empty prints nothing",
        env="WSLINK_READY_MSG",
        env_may_be_empty=True,
    )
    http_headers: str = option(
        "", "JSON file of response headers for static files", env="WSLINK_HTTP_HEADERS", metavar="FILE"
    )
    follow_symlinks: bool = option(False, "let static files be symbolic links", env="WSLINK_FOLLOW_SYMLINKS")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **settings: Any) -> Options:
        """Complete `settings` with values from the environment, and then with the defaults.

        Raises:
            UsageError: a setting is unknown or malformed. The message names it and says what is allowed.
        """
        if settings.get("secret") == "":
            raise UsageError(
                "secret must not be empty: leave it out for the App's own, which is random unless it was set"
            )
        options = read_options(cls, environment, settings)
        if not is_text(options.secret):
            raise UsageError(f"secret must be text in UTF-8, not {options.secret!r:.100}")
        return options

    def warn_of(self, given: Container[str]) -> None:
        """Log which of the settings that were given have no effect beside the others."""
        useless = [name for name in LISTENING if name in given] if self.reverse_url else []
        if useless:
            logger.warning(
                "a server with reverse_url dials a relay and does not listen: no effect has %s", ", ".join(useless)
            )
