"""The command line: `wslink serve module:app`."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from wslink.console import complain
from wslink.errors import BrokerError, UsageError
from wslink.logs import add_log_options, log_to_stderr
from wslink.server.app import App
from wslink.server.loop import importing
from wslink.server.options import Options, Settings
from wslink.server.supervisor import supervise
from wslink.server.workers import is_supervised
from wslink.settings import add_options

MAX_FRAMES = 8
"""Lines that are named of those which led to an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = vars(_parser().parse_args(argv))
    workers = arguments.pop("workers")
    target = arguments.pop("app")
    level, format_ = arguments.pop("log_level"), arguments.pop("log_format")
    log_to_stderr("debug" if arguments.get("debug") else level, format_)
    try:
        if workers > 1 and not is_supervised():
            given = sys.argv[1:] if argv is None else list(argv)
            return supervise(given, Options.from_environment(**arguments), workers)
        load(target).run(**cast(Settings, arguments))
    except (UsageError, OSError, BrokerError) as error:
        complain(f"wslink: {error}")
        return 1
    return 0


def load(target: str) -> App:
    """Import the App that "module:attribute" names.

    Raises:
        UsageError: there is no such module or attribute, or it is not an App.
    """
    module_name, _, attribute = target.partition(":")
    path = Path(module_name)
    if "" in module_name.split(".") or (path.suffix == ".py" and path.is_file()):
        name = path.stem or "module"
        raise UsageError(f"{target!r}: the name of a module is needed, such as {name}:{attribute or 'app'}")
    sys.path.insert(0, "")
    if not all(map(str.isidentifier, module_name.split("."))):
        raise UsageError(f"{target!r} is not of the form module:attribute, such as myproject.viewer:app")
    try:
        with importing():
            module = importlib.import_module(module_name)
    except Exception as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and f"{module_name}.".startswith(f"{absent}."):
            raise UsageError(f"there is no module {module_name!r} here") from error
        raise UsageError(f"module {module_name!r} cannot be imported: {_where(error)}") from error
    app = getattr(module, attribute or "app", None)
    if not isinstance(app, App):
        raise UsageError(f"{target!r}: module {module_name!r} has no App called {attribute or 'app'!r}")
    return app


def _where(error: Exception) -> str:
    """Describe an exception and the lines that led to it."""
    if isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is ours
    lines = [f"\n  {one.filename}, line {one.lineno}: {one.line}" for one in frames if "importlib" not in one.filename]
    return f"{type(error).__name__}: {error}{''.join(lines[-MAX_FRAMES:])}"


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of processes, 1 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wslink serve", description="Serve an application.")
    parser.add_argument("app", help="module:attribute of an App, such as myproject.viewer:app")
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="processes that serve it, on one port (docs/scale.md)"
    )
    add_options(parser, Options)
    add_log_options(parser, "warning")
    return parser
