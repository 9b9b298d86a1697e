"""Options, each declared once: keywords, the command line, environment variables and docs/settings.md derive from the
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
"""The line that says that a server accepts, unless WSLINK_READY_MSG gives another."""
STOP_TIMEOUT = 5.0
"""Seconds after which a server that stops does not wait for calls any longer, unless it is given another number."""


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
    """A field of a frozen dataclass of options.

    Args:
        default: its type is the option's: str, int, float, bool, or a tuple of str.
        help_: what it means, as the command line and the docs say it.
        flags: of the command line; none for an option that has none.
        env: its environment variable.
        metavar: what stands for the value in the command line's help.
        least, most: the bounds of a number.
        env_may_be_empty: whether the variable counts where it is set to nothing.
        choices: the strings that are allowed, if not any is.
    """
    names = ("help", "flags", "env", "metavar", "least", "most", "env_may_be_empty", "choices")
    values = (help_, tuple(flags), env, metavar, least, most, env_may_be_empty, tuple(choices))
    return field(default=default, metadata=dict(zip(names, values, strict=True)))


def read_options(options: type[OptionsT], environment: Mapping[str, str], given: Mapping[str, Any]) -> OptionsT:
    """An instance of `options`: what is `given`, then the environment's values, then the defaults.

    Raises:
        UsageError: naming the setting that is unknown or malformed, and what is allowed.
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
    """One option of `options`: the environment's value, or the default. Raises UsageError, as `read_options`."""
    declared = next(one for one in dataclasses.fields(options) if one.name == name)
    return _of_environment(declared, os.environ if environment is None else environment)


def _of_environment(one: dataclasses.Field[Any], environment: Mapping[str, str]) -> Any:
    """The value of an option that is not given. Raises UsageError."""
    variable = one.metadata["env"]
    text = environment.get(variable) if variable else None
    if text is not None and not isinstance(one.default, str):
        text = text.strip()  # what is blank is not set
    if text or (text is not None and one.metadata["env_may_be_empty"]):
        return _checked(one, variable, parse(variable, text, type(one.default)))
    return one.default


def add_options(parser: argparse.ArgumentParser, options: type[Any]) -> None:
    """Add a flag for every option that has one. What is not given is absent from the result."""
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
    """`value`, which comes from `source`, as the option wants it. Raises UsageError."""
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
    """The value of the variable `name`, as `kind`: bool, str, int or float. A whole number may be written as `1e6`.

    Raises:
        UsageError: naming the variable, if a number is needed and `text` is none.
    """
    if kind is bool:
        return _flag(name, without_line_end(text).strip().lower())
    if kind is str:
        return without_line_end(text)
    try:
        number = float(text)
        if kind is float or number.is_integer():
            return kind(number)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{name} is {text!r}: a {'whole ' if kind is int else ''}number is needed")


def _flag(name: str, text: str) -> bool:
    """A word, or a number as released servers take it. Raises UsageError."""
    if text in _FLAGS:
        return _FLAGS[text]
    try:
        return float(text) != 0
    except ValueError:
        raise UsageError(f"{name} is {text!r}: 1 or 0 is needed") from None


_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read(name: str, kind: type, default: Any, environment: Mapping[str, str] | None = None) -> Any:
    """The variable `name` as `kind`, or `default` where it is unset or empty; blanks count as
    unset, too, unless it is text. Raises UsageError."""
    text = (os.environ if environment is None else environment).get(name, "")
    return parse(name, text, kind) if (text if kind is str else text.strip()) else default


def without_line_end(text: str) -> str:
    """`text` without what editors and shells of other systems leave around it: a byte order mark, CR and LF."""
    return text.removeprefix(BOM).rstrip("\r\n")


def origins() -> tuple[str, ...]:
    """The pages that WSLINK_ORIGINS lets connect, beside those of the server's own origin. Raises UsageError."""
    return split_origins(os.environ.get("WSLINK_ORIGINS", ""))


def split_names(text: str) -> tuple[str, ...]:
    """The host names in a list that is separated by commas. Raises UsageError, as `check_name`."""
    return tuple(check_name(one.strip()) for one in without_line_end(text).split(",") if one.strip())


def check_name(text: str) -> str:
    """A host's name as browsers ask by it, an address, ".example.org" for all names below it, or "*" for every name.

    Raises:
        UsageError: for anything else, by which nobody would ask.
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
    """The origins in a list that is separated by commas. Raises UsageError, as `check_origin`."""
    return tuple(check_origin(one.strip()) for one in without_line_end(text).split(",") if one.strip())


def check_origin(text: str) -> str:
    """`text`, if it is an origin such as "https://example.org" or "http://localhost:*", or "*" for every page.

    Raises:
        UsageError: for anything else, which would match no page.
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
    """The response headers in a JSON file; {} if `path` is empty.

    Raises:
        UsageError: if it cannot be read or is not a map from strings to strings.
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
    """Whether a request or a response can have a header of that name and value (RFC 9110, 5.1 and 5.5)."""
    if not isinstance(name, str) or not isinstance(value, str):
        return False
    return _HEADER.fullmatch(name) is not None and value.replace("\t", " ").isprintable()


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
