"""All settings of a relay: the command line and docs/relay.md derive from these declarations."""

from __future__ import annotations

from dataclasses import dataclass

from wslink.errors import UsageError
from wslink.settings import check_origin, option

MODES = ("forward", "relay")


@dataclass(frozen=True)
class Options:
    """The options of a relay.

    Raises:
        UsageError: there is no such mode.
    """

    host: str = option("localhost", "interface to listen on; 0.0.0.0 for all", flags=("--host",))
    port: int = option(8080, "port to listen on", flags=("-p", "--port"), least=0, most=65535)
    mode: str = option(
        "forward",
        "forward dials a server for each client; relay pairs the two that connect to one path",
        flags=("--mode",),
    )
    www: str = option("", "directory of static files to serve at /", flags=("--www",), metavar="DIR")
    proxy_route: str = option(
        "/proxy/{port}",
        "route of the WebSockets; forward dials ws://{host=localhost}:{port=1234}/{path=ws}",
        flags=("--proxy-route",),
        metavar="ROUTE",
    )
    allow: tuple[str, ...] = option(
        (),
        "a target that forward may dial, HOST[:PORT[-PORT]], where HOST is a name, an address or a network; can be "
        "given more than once; loopback addresses alone unless given",
        flags=("--allow",),
        metavar="TARGET",
    )
    origins: tuple[str, ...] = option(
        (),
        "a page's origin that may connect beside the relay's own; can be given more than once",
        flags=("--origin",),
        metavar="ORIGIN",
    )
    client_token_file: str = option(
        "", "file with the token that clients need", flags=("--client-token-file",), metavar="FILE"
    )
    process_token_file: str = option(
        "", "file with the token that processes need, in relay mode", flags=("--process-token-file",), metavar="FILE"
    )
    metrics: bool = option(
        False,
        "serve /metrics to Prometheus, for programs of this machine and for the process's token",
        flags=("--metrics",),
    )
    retry: float = option(1.0, "seconds for which a target that is down is dialled again", flags=("--retry",), least=0)
    wait: float = option(10.0, "seconds that a client waits for its process, in relay mode", flags=("--wait",), least=0)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"mode is {self.mode!r}: one of {', '.join(MODES)}")
        for origin in self.origins:
            check_origin(origin)
