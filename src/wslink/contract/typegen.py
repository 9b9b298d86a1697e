"""The command line: `wslink typegen TARGET -o api.ts`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from wslink.console import complain, put
from wslink.contract.breaking import breaking_changes
from wslink.contract.describe import add_target
from wslink.contract.py_module import Module as PythonModule
from wslink.contract.source import read
from wslink.contract.ts_module import Module
from wslink.contract.usage import Schema
from wslink.errors import UsageError

MARK = {"typescript": "// contract: ", "python": "# contract: "}
"""What the last line of a generated file begins with: it holds the description that it was made from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 1 where a file that is checked is not what it would be now."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.check and arguments.output is None:
        parser.error("--check needs the file: -o FILE")
    try:
        document = read(arguments.target, arguments.secret)
        text = _generated(document, arguments)
        if arguments.check:
            return _check(arguments, document, text)
        if arguments.output is None:
            put(text.rstrip("\n"), document=True)
        else:
            Path(arguments.output).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        complain(f"wslink: {error.filename or arguments.target}: {error.strerror or error}")
        return 1
    except UsageError as error:
        complain(f"wslink: {error}")
        return 1
    return 0


def _generated(document: Schema, arguments: argparse.Namespace) -> str:
    """The source that was asked for. Raises UsageError for a description that only looks like one."""
    try:
        return generated(document, "python" if arguments.python else "typescript", arguments.package)
    except UsageError:  # which is a ValueError: a name that a client cannot have
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"{arguments.target} describes what no server offers ({what})") from error


def generated(document: Schema, language: str, package: str) -> str:
    """The source of a client. The same for the same description."""
    body = Module(document, package).text() if language == "typescript" else PythonModule(document).text()
    space = "\n" if language == "typescript" else "\n\n"
    return f"{body}{space}{MARK[language]}{json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n"


def _check(arguments: argparse.Namespace, document: Schema, text: str) -> int:
    """Say whether the file is what it would be now, and what of the difference breaks its users."""
    path = Path(arguments.output)
    try:
        present = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8: wslink typegen did not write it") from None
    if present == text:
        return 0
    complain(f"wslink: {path} is {'stale' if present else 'not there'}; run wslink typegen again")
    for change in breaking_changes(_contract_in(present), document) if present else ():
        complain(f"  breaking: {change}")
    return 1


def _contract_in(text: str) -> Schema:
    """The description that a generated file was made from. Raises UsageError."""
    for line in reversed(text.splitlines()):
        for mark in MARK.values():
            if line.startswith(mark):
                try:
                    contract: Schema = json.loads(line.removeprefix(mark))
                except (ValueError, RecursionError):
                    break
                return contract
    raise UsageError("it holds no contract to compare with: wslink typegen did not write it, or its end is lost")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wslink typegen", description="Write a typed client of a server.")
    add_target(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write, instead of standard output")
    parser.add_argument("--check", action="store_true", help="fail if the file is stale, and name breaking changes")
    parser.add_argument("--python", action="store_true", help="write Python instead of TypeScript")
    parser.add_argument(
        "--package", default="wslink", help="package that TypeScript imports the client from (default: wslink)"
    )
    return parser
