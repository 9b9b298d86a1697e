"""The command line: `wslink call URL terrain.light 315 altitude=30`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence

from wslink.client.cure import explained
from wslink.console import INTERRUPTED, complain, put
from wslink.errors import CallError, UsageError, WslinkError
from wslink.tools.lasting import add_reconnect, answer, lasting, run
from wslink.tools.options import Target, add_options, target_of
from wslink.tools.show import as_json, as_line
from wslink.wire.value import Value

USE_STREAM = "use link.stream instead of link.call"
"""What the server says to programs."""
NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        args, kwargs = parse(arguments.arguments)
        perform = _stream if arguments.stream else _call
        if not run(perform(target_of(arguments), arguments, args, kwargs)):
            return INTERRUPTED
    except CallError as error:
        complain(f"wslink: {str(error).replace(USE_STREAM, 'call it with --stream')}")
        if error.data is not None and not isinstance(error.data, str):
            complain(as_json(error.data))
        return 1
    except (WslinkError, OSError) as error:
        complain(f"wslink: {explained(error)}")
        return 1
    return 0


def parse(words: Sequence[str]) -> tuple[list[Value], dict[str, Value]]:
    """Parse positional and named arguments. Each is JSON, or text if it is not valid JSON.

    Raises:
        UsageError: a positional argument follows a named one, or a name occurs twice.
    """
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    for word in words:
        named = NAMED.fullmatch(word)
        if named is None and kwargs:
            raise UsageError(f"{word!r} has no name, and stands behind an argument that has one")
        if named is None:
            args.append(value_of(word))
        elif named[1] in kwargs:
            raise UsageError(f"argument {named[1]!r} is given twice")
        else:
            kwargs[named[1]] = value_of(named[2])
    return args, kwargs


def value_of(text: str) -> Value:
    """A JSON value, or the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


async def _stream(target: Target, arguments: argparse.Namespace, args: list[Value], kwargs: dict[str, Value]) -> None:
    async with lasting(target, arguments.reconnect) as link:
        async for item in link.stream(arguments.method, *args, **kwargs):
            put(as_line(item), document=True)


async def _call(target: Target, arguments: argparse.Namespace, args: list[Value], kwargs: dict[str, Value]) -> None:
    method = arguments.method
    async with lasting(target, min(arguments.reconnect, target.timeout)) as link:
        put(as_json(await answer(link.call(method, *args, **kwargs), target.timeout, method)), document=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink call",
        description="Call a method and print its result as JSON, in which arrays and bytes are summarized.",
        epilog="Arguments are JSON, or text otherwise: 315, altitude=30, name=rock, 'sizes=[1, 2]', '\"3\"'.",
    )
    add_options(parser)
    add_reconnect(parser)
    parser.add_argument("--stream", action="store_true", help="print the items of a method that streams, one a line")
    parser.add_argument("method")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="a value, or name=value")
    return parser
