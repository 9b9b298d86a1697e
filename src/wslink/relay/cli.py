"""The command line: `wslink relay`, and `python -m wslink.relay`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from wslink.console import complain
from wslink.errors import UsageError
from wslink.http.run import serve
from wslink.logs import add_log_options, log_to_stderr
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.settings import add_options, read_options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="wslink relay", description="Carry WebSockets to servers behind it.")
    add_options(parser, Options)
    add_log_options(parser, "info")
    arguments = vars(parser.parse_args(argv))
    level, format_ = arguments.pop("log_level"), arguments.pop("log_format")
    try:
        run(read_options(Options, {}, arguments), level, format_)
    except (UsageError, OSError) as error:
        complain(f"wslink relay: {error}")
        return 1
    return 0


def run(options: Options, level: str = "info", format_: str = "text") -> None:
    """Relay until SIGINT or SIGTERM. Raises UsageError, and OSError if the address cannot be bound."""
    log_to_stderr(level, format_)
    relay = Relay(options)
    asyncio.run(serve(relay.application(), options.host, options.port, relay.reload))
