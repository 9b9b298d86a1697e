"""The command line: `wslink COMMAND ...`. Each command is a module that is imported when the command is run."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from wslink.console import INTERRUPTED, UNREAD, NobodyReads, settle
from wslink.version import __version__

COMMANDS = {
    "serve": ("wslink.server.cli", "serve an application: module:attribute of an App"),
    "launch": ("wslink.launcher.cli", "start a session of an application per user, as a configuration says"),
    "describe": ("wslink.contract.describe", "print what a server offers, as JSON Schema"),
    "typegen": ("wslink.contract.typegen", "write a typed client of a server"),
    "call": ("wslink.tools.call", "call a method of a server"),
    "watch": ("wslink.tools.watch", "print what a server publishes"),
    "record": ("wslink.tools.record", "record what a server publishes"),
    "replay": ("wslink.tools.replay", "serve a recorded page without its application"),
    "doctor": ("wslink.tools.doctor", "find what breaks between here and a server"),
    "relay": ("wslink.relay.cli", "carry WebSockets to servers that browsers cannot reach"),
}
"""The module of each command, which has a `main`, and the command's summary."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. docs/tools.md documents the codes."""
    try:
        arguments = _parser().parse_args(argv)
        module = importlib.import_module(COMMANDS[arguments.command][0])
        return int(module.main(arguments.rest))
    except NobodyReads:
        return UNREAD
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        settle()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink",
        description="The live link between a Python process and a browser.",
        epilog="\n".join(f"  {name:<9}{text}" for name, (_, text) in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=f"one of {', '.join(COMMANDS)}")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="its arguments: wslink COMMAND --help")
    return parser
