"""The command line: `wslink typegen TARGET -o api.ts`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wslink.console import complain, say
from wslink.contract.describe import add_target
from wslink.contract.source import read
from wslink.contract.ts_module import Module
from wslink.errors import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        document = read(arguments.target, arguments.secret)
        text = Module(document, arguments.package).text()
        if arguments.output is None:
            say(text.rstrip("\n"))
        else:
            Path(arguments.output).write_text(text, encoding="utf-8")
    except (UsageError, OSError) as error:
        complain(f"wslink: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wslink typegen", description="Write a typed client of a server.")
    add_target(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write it to a file")
    parser.add_argument("--package", default="wslink", help="what it imports the client from (default: wslink)")
    return parser
