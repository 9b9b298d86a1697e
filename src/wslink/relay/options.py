"""Every setting of a relay, declared once: the command line and docs/relay.md derive from here."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from wslink.errors import UsageError

MODES = ("forward", "relay")


def _option(default: Any, flags: tuple[str, ...], help_: str, metavar: str = "") -> Any:
    return field(default=default, metadata={"flags": flags, "help": help_, "metavar": metavar})


@dataclass(frozen=True)
class Options:
    """How a relay works.

    Raises:
        UsageError: for a mode that there is not.
    """

    host: str = _option("localhost", ("--host",), "interface to listen on; 0.0.0.0 for all")
    port: int = _option(8080, ("-p", "--port"), "port to listen on")
    mode: str = _option(
        "forward", ("--mode",), "forward dials a server for each client; relay pairs the two that connect to one path"
    )
    www: str = _option("", ("--www",), "folder of static files to serve at /", "DIR")
    proxy_route: str = _option(
        "/proxy/{port}",
        ("--proxy-route",),
        "route of the WebSockets; forward dials ws://{host=localhost}:{port=1234}/{path=ws}",
        "ROUTE",
    )
    allow: tuple[str, ...] = _option(
        (),
        ("--allow",),
        "a target that forward may dial, HOST[:PORT[-PORT]], where HOST is a name, an address or a network; can be "
        "given more than once; loopback addresses alone unless given",
        "TARGET",
    )
    origins: tuple[str, ...] = _option(
        (),
        ("--origin",),
        "a page's origin that may connect beside the relay's own; can be given more than once",
        "ORIGIN",
    )
    client_token_file: str = _option("", ("--client-token-file",), "file with the token that clients need", "FILE")
    process_token_file: str = _option(
        "", ("--process-token-file",), "file with the token that processes need, in relay mode", "FILE"
    )
    retry: float = _option(1.0, ("--retry",), "seconds for which a target that is down is dialled again")
    wait: float = _option(10.0, ("--wait",), "seconds that a client waits for its process, in relay mode")

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"mode is {self.mode!r}: one of {', '.join(MODES)}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every option. What is not given is absent from the result."""
    for option in dataclasses.fields(Options):
        flags, help_ = option.metadata["flags"], option.metadata["help"]
        metavar = option.metadata["metavar"] or option.name.upper()
        common: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS, "metavar": metavar}
        if isinstance(option.default, tuple):
            parser.add_argument(*flags, action="append", help=help_, **common)
        else:
            shown = f"{help_} (default: {option.default or 'none'})"
            parser.add_argument(*flags, type=type(option.default), help=shown.replace("%", "%%"), **common)
