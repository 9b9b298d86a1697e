"""Templates, and which of their variables clients may fill.

A client's values are filled in last and only once: they are never templates themselves, and never replace a property or
one of the launcher's own variables.
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
    """Replace the variables in `template`; those without a value are kept. Values other than strings are returned
    unchanged."""
    return Template(template).safe_substitute(values) if isinstance(template, str) else template


def names(templates: Iterable[Any]) -> set[str]:
    """The variables in the templates."""
    found = (match for text in templates for match in Template.pattern.finditer(str(text)))
    return {match["named"] or match["braced"] for match in found} - {None}


def command_templates(app: Application) -> list[Any]:
    """All parts of a session's command: its arguments and its environment."""
    return [*app.cmd, *app.env.values()]


def postable(configuration: Configuration, app: Application) -> set[str]:
    """The keys that a client may post for an application: those that its command, the session's URL or `sessionData`
    uses and that are neither properties nor reserved."""
    data = (value for value in configuration.session_data.values() if isinstance(value, str))
    named = names([*command_templates(app), configuration.settings.session_url, *data])
    return named - RESERVED - set(configuration.properties)


def accept(configuration: Configuration, app: Application, posted: Mapping[str, Any]) -> dict[str, str]:
    """The values of a request that may be filled in; other keys are ignored.

    Raises:
        RequestRefused: a value is not allowed. The message names the key.
    """
    settings = configuration.settings
    values = {}
    for name in sorted(postable(configuration, app) & set(posted)):
        rule = settings.sanitize.get(name)
        text = _scalar(name, posted[name], settings.max_value)
        values[name] = sanitized(text, rule) if rule else _harmless(name, text)
    return values


def sanitized(text: str, rule: SanitizeRule) -> str:
    """`text`, or the rule's default if the rule does not allow it."""
    if rule.type == "inList":
        allowed = text in map(str, rule.list)
    else:
        # A "$" in the expression also matches before a final line feed, which no rule intends.
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
    """Check a value without a rule: it must be neither an option nor a way out of a directory."""
    if text.startswith("-") and _NUMBER.fullmatch(text) is None:
        raise RequestRefused(f"{name}: it must not start with a dash, unless a sanitize rule allows it")
    if text.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", text):
        raise RequestRefused(f"{name}: it must not lead out of a directory, unless a sanitize rule allows it")
    return text
