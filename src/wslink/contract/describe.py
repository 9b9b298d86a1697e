"""The command line: `wslink describe TARGET`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from wslink.console import complain, put
from wslink.contract.source import read
from wslink.errors import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        text = as_text(read(arguments.target, arguments.secret))
        if arguments.output is None:
            put(text, document=True)
        else:
            Path(arguments.output).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        complain(f"wslink: {error.filename or arguments.target}: {error.strerror or error}")
        return 1
    except UsageError as error:
        complain(f"wslink: {error}")
        return 1
    return 0


def as_text(document: object) -> str:
    """A description as JSON. The same of the same application, byte for byte."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink describe", description="Print what a server offers, as one document of JSON Schema 2020-12."
    )
    add_target(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write, instead of standard output")
    return parser


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add what names a description."""
    parser.add_argument(
        "target", help="module:attribute of an App; the URL of a server; or a file that wslink describe wrote"
    )
    parser.add_argument(
        "--secret", metavar="SECRET", help="the server's secret, unless its URL or WSLINK_SECRET has it"
    )
