"""Options, each declared once: keywords, command-line flags, environment variables and docs/settings.md derive from the
declaration. The environment is read when a server is created, never at import."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from wslink.errors import UsageError
from wslink.hosts import ascii_name, is_address

if TYPE_CHECKING:
    import argparse

OptionsT = TypeVar("OptionsT")

BOM = "\ufeff"
READY_MSG = "wslink: Starting factory"
"""The line that a server prints once it accepts connections, unless WSLINK_READY_MSG overrides it."""
STOP_TIMEOUT = 5.0
"""Default number of seconds that a stopping server waits for calls to end."""


# Declarations ---------------------------------------------------------------


def option(
    default: Any,
    help_: str,
    *,
    flags: Sequence[str] = (),
    env: str = "",
    metavar: str = "",
    least: float = -math.inf,
    most: float = math.inf,
    env_may_be_empty: bool = False,
    choices: Sequence[str] = (),
) -> Any:
    """Declare a field of a frozen dataclass of options.

    Args:
        default: its type is the type of the option: str, int, float, bool, or a tuple of str.
        help_: the description, for the command line and the docs.
        flags: command-line flags, if any.
        env: the environment variable, if any.
        metavar: the placeholder for the value in the command line's help.
        least, most: the bounds of a number.
        env_may_be_empty: whether an empty environment variable counts as a value.
        choices: the allowed strings; any string if there are none.
    """
    names = ("help", "flags", "env", "metavar", "least", "most", "env_may_be_empty", "choices")
    values = (help_, tuple(flags), env, metavar, least, most, env_may_be_empty, tuple(choices))
    return field(default=default, metadata=dict(zip(names, values, strict=True)))


def read_options(options: type[OptionsT], environment: Mapping[str, str], given: Mapping[str, Any]) -> OptionsT:
    """Create an instance of `options` from the values in `given`, then the environment, then the defaults.

    Raises:
        UsageError: a setting is unknown or malformed. The message names it and says what is allowed.
    """
    declared = {one.name: one for one in dataclasses.fields(options)}  # type: ignore[arg-type]
    for name in given:
        if name not in declared:
            raise UsageError(f"unknown setting {name!r}; settings: {', '.join(sorted(declared))}")
    chosen: dict[str, Any] = {}
    for name, one in declared.items():
        chosen[name] = _checked(one, name, given[name]) if name in given else _of_environment(one, environment)
    return options(**chosen)


def read_option(options: type[Any], name: str, environment: Mapping[str, str] | None = None) -> Any:
    """Read one option of `options` from the environment, or return its default. Raises UsageError, like
    `read_options`."""
    declared = next(one for one in dataclasses.fields(options) if one.name == name)
    return _of_environment(declared, os.environ if environment is None else environment)


def _of_environment(one: dataclasses.Field[Any], environment: Mapping[str, str]) -> Any:
    """Return the value of an option that was not passed. Raises UsageError."""
    variable = one.metadata["env"]
    text = environment.get(variable) if variable else None
    if text is not None and not isinstance(one.default, str):
        text = text.strip()  # a blank variable counts as unset
    if text or (text is not None and one.metadata["env_may_be_empty"]):
        return _checked(one, variable, parse(variable, text, type(one.default)))
    return one.default


def add_options(parser: argparse.ArgumentParser, options: type[Any]) -> None:
    """Add a flag for every option that has one. Flags that are not used are absent from the result."""
    import argparse

    for one in dataclasses.fields(options):
        flags, metavar = one.metadata["flags"], one.metadata["metavar"] or one.name.upper()
        if not flags:
            continue
        common: dict[str, Any] = {"dest": one.name, "default": argparse.SUPPRESS, "help": _help(one)}
        if isinstance(one.default, bool):
            parser.add_argument(*flags, action="store_false" if one.default else "store_true", **common)
        elif isinstance(one.default, tuple):
            parser.add_argument(*flags, action="append", metavar=metavar, **common)
        else:
            kind = without_line_end if isinstance(one.default, str) else type(one.default)
            parser.add_argument(*flags, type=kind, metavar=metavar, **common)


def _checked(one: dataclasses.Field[Any], source: str, value: Any) -> Any:
    """Convert and check `value` for an option; errors name its `source`. Raises UsageError."""
    kind = type(one.default)
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is tuple and isinstance(value, list):
        value = tuple(value)
    if type(value) is not kind:
        raise UsageError(f"{source} must be {_NOUNS[kind]}, not {value!r:.100}")
    least, most = one.metadata["least"], one.metadata["most"]
    if kind in (int, float) and not least <= value <= most:
        bounds = f"from {least:g} to {most:g}" if most < math.inf else f"{least:g} or more"
        raise UsageError(f"{source} must be {bounds if least > -math.inf else 'a number'}, not {value!r}")
    choices = one.metadata["choices"]
    if choices and value not in choices:
        raise UsageError(f"{source} must be {' or '.join(map(repr, choices))}, not {value!r:.100}")
    return value


_NOUNS = {str: "a string", int: "an integer", float: "a number", bool: "True or False", tuple: "a list of strings"}


def _shown(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default or "none") if default != 0 else "0"


def _help(one: dataclasses.Field[Any]) -> str:
    text = str(one.metadata["help"]).replace("%", "%%")
    if isinstance(one.default, bool):
        return f"do not {text}" if one.default else text
    return text if isinstance(one.default, tuple) else f"{text} (default: {_shown(one.default)})"


# Environment variables ------------------------------------------------------


def parse(name: str, text: str, kind: type) -> Any:
    """Parse the value of the variable `name` as `kind`: bool, str, int or float. Integers may be written like `1e6`.

    Raises:
        UsageError: `text` is not a number where one is needed. The message names the variable.
    """
    if kind is bool:
        return _flag(name, without_line_end(text).strip().lower())
    if kind is str:
        return without_line_end(text)
    try:
        number = float(text)
        if kind is float or number.is_integer():
            return kind(number)
    except ValueError:
        pass
    raise UsageError(f"{name} is {text!r}: a {'whole ' if kind is int else ''}number is needed")


def _flag(name: str, text: str) -> bool:
    """Parse a boolean: a word, or a number as released servers accept it. Raises UsageError."""
    if text in _FLAGS:
        return _FLAGS[text]
    try:
        return float(text) != 0
    except ValueError:
        raise UsageError(f"{name} is {text!r}: 1 or 0 is needed") from None


_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read(name: str, kind: type, default: Any, environment: Mapping[str, str] | None = None) -> Any:
    """Read the variable `name` as `kind`, or return `default` if it is unset or empty. For kinds other than str, blanks
    count as empty, too. Raises UsageError."""
    text = (os.environ if environment is None else environment).get(name, "")
    return parse(name, text, kind) if (text if kind is str else text.strip()) else default


def without_line_end(text: str) -> str:
    """Strip what editors and shells of other systems leave around `text`: a byte order mark, CR and LF."""
    return text.removeprefix(BOM).rstrip("\r\n")


def origins() -> tuple[str, ...]:
    """The origins that WSLINK_ORIGINS allows to connect, in addition to the server's own. Raises UsageError."""
    return split_origins(os.environ.get("WSLINK_ORIGINS", ""))


def split_names(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of host names. Raises UsageError, like `check_name`."""
    return tuple(check_name(one.strip()) for one in without_line_end(text).split(",") if one.strip())


def check_name(text: str) -> str:
    """Check a host name as browsers send it, an address, ".example.org" for all names below it, or "*" for every name.

    Raises:
        UsageError: `text` is none of these, so no request would match it.
    """
    if text == "*" or is_address(text):
        return text
    name = ascii_name(text.rstrip("."))
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"hosts: {text!r} is not a name; a name has no scheme and no port, such as example.org, .example.org for "
            "all names below it, or * for every name"
        )
    return name


_NAME = re.compile(r"\.?[\w-]+(\.[\w-]+)*", re.ASCII)


def split_origins(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of origins. Raises UsageError, like `check_origin`."""
    return tuple(check_origin(one.strip()) for one in without_line_end(text).split(",") if one.strip())


def check_origin(text: str) -> str:
    """Check an origin such as "https://example.org" or "http://localhost:*", or "*" for every page.

    Raises:
        UsageError: `text` is neither, so no page would match it.
    """
    if text == "*":
        return text
    try:
        split = urlsplit(text.removesuffix(":*"))
        port = split.port
    except ValueError:
        split, port = urlsplit(""), None
    exact = split.scheme in ("http", "https") and split.hostname and not (split.query or split.fragment)
    if not exact or split.path not in ("", "/") or "@" in split.netloc or "*" in split.netloc or port == 0:
        raise UsageError(
            f"origins: {text!r} is not an origin, which is scheme, host and port, such as https://example.org, "
            "http://localhost:8081, http://localhost:* for any port, or * for every page"
        )
    return text


def read_headers(path: str) -> dict[str, str]:
    """Read response headers from a JSON file; {} if `path` is empty.

    Raises:
        UsageError: the file cannot be read, or is not a map from strings to strings.
    """
    if not path:
        return {}
    try:
        headers = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"http headers: {path}: {error}") from error
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise UsageError(f"http headers: {path} must hold a JSON object whose values are strings")
    for name, value in headers.items():
        if not is_header(name, value):
            raise UsageError(f"http headers: {path}: no response can have the header {name!r} with {value!r:.100}")
    return headers


def is_header(name: object, value: object) -> bool:
    """Whether HTTP allows a header with this name and value (RFC 9110, 5.1 and 5.5)."""
    if not isinstance(name, str) or not isinstance(value, str):
        return False
    return _HEADER.fullmatch(name) is not None and value.replace("\t", " ").isprintable()


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
