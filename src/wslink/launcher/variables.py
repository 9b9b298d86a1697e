"""Templates, and which of their variables a client may fill with what.

A client's values are filled in last and once: what stands in them is never a template itself, and they never replace a
property or a variable of the launcher's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Template
from typing import Any

from wslink.errors import RequestRefused
from wslink.launcher.configuration import Application, Configuration, SanitizeRule

RESERVED = frozenset(
    ("id", "host", "port", "secret", "secret_file", "token", "application", "sessionURL", "sessionManagerURL", "cmd")
)
"""Variables of the launcher's own. Neither a property nor a posted key can have such a name."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs: no command can have these."""
_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A negative number in digits. `-inf`, `-nan` and `-1_0`, which Python takes for numbers too, are options to others."""


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with its variables replaced; those without a value stay. What is no string is returned as it is."""
    return Template(template).safe_substitute(values) if isinstance(template, str) else template


def names(templates: Iterable[Any]) -> set[str]:
    """The variables that the templates name."""
    found = (match for text in templates for match in Template.pattern.finditer(str(text)))
    return {match["named"] or match["braced"] for match in found} - {None}


def command_templates(app: Application) -> list[Any]:
    """All that makes up a session's command: its arguments and its environment."""
    return [*app.cmd, *app.env.values()]


def postable(configuration: Configuration, app: Application) -> set[str]:
    """The keys that a client may post for an application: those which its command, the session's URL or
    `sessionData` names and which are neither properties nor reserved."""
    data = (value for value in configuration.session_data.values() if isinstance(value, str))
    named = names([*command_templates(app), configuration.settings.session_url, *data])
    return named - RESERVED - set(configuration.properties)


def accept(configuration: Configuration, app: Application, posted: Mapping[str, Any]) -> dict[str, str]:
    """The values of a request that may be filled in; other keys are ignored.

    Raises:
        RequestRefused: naming the key whose value cannot be had.
    """
    settings = configuration.settings
    values = {}
    for name in sorted(postable(configuration, app) & set(posted)):
        rule = settings.sanitize.get(name)
        text = _scalar(name, posted[name], settings.max_value)
        values[name] = sanitized(text, rule) if rule else _harmless(name, text)
    return values


def sanitized(text: str, rule: SanitizeRule) -> str:
    """`text`, or the rule's default where the rule does not allow it."""
    if rule.type == "inList":
        allowed = text in map(str, rule.list)
    else:
        # A "$" in the expression also matches before a last line feed, which no rule means to allow.
        allowed = re.match(rule.regexp, text) is not None and not text.endswith("\n")
    return text if allowed else str(rule.default)


def _scalar(name: str, value: Any, longest: int) -> str:
    if value is not None and not isinstance(value, (str, int, float)):
        raise RequestRefused(f"{name}: a string or a number is needed")
    text = "" if value is None else str(value)
    if len(text) > longest:
        raise RequestRefused(f"{name}: at most {longest} characters are allowed")
    if _CONTROL.search(text):
        raise RequestRefused(f"{name}: control characters are not allowed")
    return text


def _harmless(name: str, text: str) -> str:
    """`text`, where no rule says what it may be: neither an option nor a way out of a directory."""
    if text.startswith("-") and _NUMBER.fullmatch(text) is None:
        raise RequestRefused(f"{name}: it must not start with a dash, unless a sanitize rule allows it")
    if text.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", text):
        raise RequestRefused(f"{name}: it must not lead out of a directory, unless a sanitize rule allows it")
    return text
