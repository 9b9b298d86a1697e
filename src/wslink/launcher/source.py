"""Reading a configuration file: its content, and the line of each key."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wslink.errors import ConfigurationError
from wslink.http.tokens import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Key = tuple[str | int, ...]
"""The way to a value: ("resources", 0, "port_range")."""

_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^\\"])*"', re.DOTALL)
_TOKEN = re.compile(r'"(?:\\.|[^\\"])*"|[\[\]{},:]|\n|[^\s\[\]{},:"]+')
_TOML_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]")
_TOML_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


class Source:
    """A configuration file that was read.

    Attributes:
        name: the file's name, for messages.
        data: its content as a dict.
        repeated: keys that occur more than once, of which the last counts.
    """

    def __init__(self, name: str, data: dict[str, Any], lines: Sequence[tuple[Key, int]]) -> None:
        self.name = name
        self.data = data
        self._lines = dict(lines)
        counts = Counter(key for key, _ in lines)
        self.repeated: list[Key] = [key for key, count in counts.items() if count > 1 and counts[key[:-1]] < 2]

    def problem(self, key: Key, text: str) -> str:
        """A sentence about the value at `key`, or about the nearest one that encloses it."""
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in self._lines), ())
        return f"{self.name}:{self._lines.get(known, 1)}: {'.'.join(map(str, key)) or 'the file'}: {text}"


def read_source(path: Path) -> Source:
    """Read a file: TOML if its name ends in .toml, otherwise JSON with comments.

    Raises:
        ConfigurationError: it cannot be read or parsed.
    """
    try:
        text = read_text(path).replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path}: it cannot be read: {error}"]) from error
    read = _toml if path.suffix.lower() == ".toml" else _json
    try:
        data, lines = read(path.name, text)
    except ConfigurationError:
        raise
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of lists in one another
        raise ConfigurationError([f"{path.name}:1: it cannot be read: {error}"]) from error
    if not isinstance(data, dict):
        raise ConfigurationError([f"{path.name}:1: the file holds no object"])
    return Source(path.name, data, list(lines))


def remove_comments(text: str) -> str:
    """JSON without its // and /* */ comments. Line numbers do not change."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found[0] == '"' else "\n" * found.count("\n")

    return _COMMENT.sub(blank, text)


def _json(name: str, text: str) -> tuple[Any, Iterable[tuple[Key, int]]]:
    plain = remove_comments(text)
    try:
        return json.loads(plain), _json_lines(plain)
    except json.JSONDecodeError as error:
        raise ConfigurationError([f"{name}:{error.lineno}: this is not JSON: {error.msg}"]) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise ConfigurationError([f"{name}:1: this is not JSON that can be read: {error}"]) from error


def _json_lines(text: str) -> Iterator[tuple[Key, int]]:
    """Yield each key of a well-formed JSON text and its line; for items of lists, where they begin."""
    line = 1
    path: list[str | int] = []
    awaits = False  # whether the next word is a key, or the beginning of an item
    for word in _TOKEN.findall(text):
        if word == "\n":
            line += 1
            continue
        if word in "}]":
            path.pop()
        elif word not in ",:" and awaits:
            path[-1] = json.loads(word) if isinstance(path[-1], str) else path[-1] + 1
            yield tuple(path), line
        if word in "{[":
            path.append("" if word == "{" else -1)
        awaits = word in "{[,"


def _toml(name: str, text: str) -> tuple[Any, Iterable[tuple[Key, int]]]:
    try:
        return tomllib.loads(text), dict(_toml_lines(text)).items()  # TOML has no repeated keys
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise ConfigurationError([f"{name}:{found[1] if found else 1}: this is not TOML: {error}"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{name}:1: this is not TOML that can be read: {error}"]) from error


def _toml_lines(text: str) -> Iterator[tuple[Key, int]]:
    """Yield each table and key that starts a line. Lines inside multi-line strings may be mistaken for keys, which only
    adds names that are never looked up."""
    table: Key = ()
    counts: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TOML_HEADER.match(line):
            table = tuple(part.strip("\"' ") for part in header[2].split("."))
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif key := _TOML_KEY.match(line):
            yield (*table, *(part.strip("\"'") for part in key[1].split("."))), number
