"""From a file to a configuration, or to error messages that say what is wrong and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from wslink.errors import ConfigurationError, UsageError
from wslink.http.monitoring import HEALTH, METRICS
from wslink.launcher import advice
from wslink.launcher.configuration import Application, Configuration, Resource, SanitizeRule, Settings
from wslink.launcher.source import Key, read_source
from wslink.launcher.variables import RESERVED, names, postable
from wslink.settings import check_name, check_origin, is_header

_UNFIT = re.compile(r"[\x00\ud800-\udfff]")
"""NUL, and halves of surrogate pairs: no file's name, argument or variable can have these."""

_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "configuration": Settings,
    "resources": Resource,
    "apps": Application,
    "sanitize": SanitizeRule,
}


def load(path: str | Path) -> Configuration:
    """Load the configuration from a file.

    Raises:
        ConfigurationError: lists all problems that were found.
    """
    source = read_source(Path(path))
    problems = [source.problem(key, text) for key, text in _problems(source.data)]
    if problems:
        raise ConfigurationError(problems)
    return convert(source.data)


def convert(data: dict[str, Any]) -> Configuration:
    """Create a configuration from a dict in the format of a file. Raises ConfigurationError."""
    problems = [f"{'.'.join(map(str, key))}: {text}" for key, text in _problems(data)]
    if problems:
        raise ConfigurationError(problems)
    return msgspec.convert(data, Configuration, strict=False)


def warnings(path: str | Path) -> list[str]:
    """Sentences about settings without effect. They are not errors: released launchers ignore them, too."""
    source = read_source(Path(path))
    twice = [source.problem(key, "it stands here more than once, and the last counts") for key in source.repeated]
    return twice + [source.problem(key, text) for key, text in advice.useless(source.data, convert(source.data))]


def missing_programs(path: str | Path) -> list[str]:
    """Sentences about programs that sessions need and this machine does not have."""
    source = read_source(Path(path))
    return [source.problem(key, text) for key, text in advice.missing_programs(convert(source.data))]


def _problems(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    shapes = [*_shapes(data), *_unfit((), data)]
    yield from shapes
    if not shapes:
        yield from _contradictions(msgspec.convert(data, Configuration, strict=False))


def _shapes(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Missing keys, and values of the wrong type."""
    yield from field_problems((), data, Configuration, skip=("configuration", "resources", "apps"))
    for name, kind in (("configuration", dict), ("resources", list), ("apps", dict)):
        if name in data and not isinstance(data[name], kind):
            yield (name,), f"{'an object' if kind is dict else 'a list'} is needed, not {data[name]!r}"
        elif name in data:
            yield from _section(name, data[name])


def _unfit(key: Key, value: Any) -> Iterator[tuple[Key, str]]:
    """Texts that hold what no file's name, argument or variable can have, the names of keys among them."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _unfit(key, str(name))
            yield from _unfit((*key, name), member)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _unfit((*key, index), member)
    elif isinstance(value, str) and _UNFIT.search(value):
        yield key, f"it must not hold {_UNFIT.findall(value)[0]!r}"


def _section(name: str, value: Any) -> Iterator[tuple[Key, str]]:
    if name == "configuration":
        yield from field_problems((name,), value, Settings, skip=("sanitize",))
        rules = value.get("sanitize", {})
        if not isinstance(rules, dict):
            yield (name, "sanitize"), f"an object is needed, not {rules!r}"
        else:
            yield from _members((name, "sanitize"), rules.items(), SanitizeRule)
    else:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        yield from _members((name,), members, _SECTIONS[name])


def _members(key: Key, members: Any, kind: type[msgspec.Struct]) -> Iterator[tuple[Key, str]]:
    for name, member in members:
        if isinstance(member, dict):
            yield from field_problems((*key, name), member, kind)
        else:
            yield (*key, name), f"an object is needed, not {member!r}"


def field_problems(
    key: Key, value: dict[str, Any], kind: type[msgspec.Struct], skip: tuple[str, ...] = ()
) -> Iterator[tuple[Key, str]]:
    """Yield the problems of the object `value`, at `key`, with a struct's fields, except for those in `skip`."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        name, allowed = field.encode_name, _allowed(hints[field.name])
        if name not in value:
            if field.required:
                near = difflib.get_close_matches(name, [one for one in value if one not in hints], 1)
                meant = f"; is {'.'.join(map(str, (*key, near[0])))} meant for it?" if near else ""
                yield (*key, name), f"it is missing; it is {allowed}{meant}"
        elif name not in skip:
            try:
                msgspec.convert(value[name], hints[field.name], strict=False)
            except msgspec.ValidationError as error:
                yield (*key, name), f"it must be {allowed}, not {_short(value[name])} ({error})"


def _allowed(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return next(str(meta.description) for meta in get_args(hint)[1:] if isinstance(meta, msgspec.Meta))
    return "a string" if hint is str or str in get_args(hint) else "an object"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _contradictions(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    """Combinations of values that are not allowed."""
    for index, resource in enumerate(configuration.resources):
        if resource.port_range[0] > resource.port_range[1]:
            yield ("resources", index, "port_range"), "the first port is greater than the last"
    for name in configuration.properties:
        if name in RESERVED:
            yield ("properties", name), f"this name is the launcher's own; so are {', '.join(sorted(RESERVED))}"
    yield from _addresses(configuration.settings)
    yield from _rules(configuration)
    yield from _scripts(configuration)
    yield from _pools(configuration)
    yield from _variables(configuration)
    content = configuration.settings.content
    if content and not Path(content).is_dir():
        yield ("configuration", "content"), f"it must be a directory; there is none at {content!r}"


def _addresses(settings: Settings) -> Iterator[tuple[Key, str]]:
    """Paths, and names of hosts, origins and headers, that are not valid."""
    if f"/{settings.endpoint.strip('/')}" in (HEALTH, METRICS):
        yield ("configuration", "endpoint"), f"the launcher itself answers at {HEALTH} and {METRICS}: choose another"
    for name, given, check in (("origins", settings.origins, check_origin), ("hosts", settings.hosts, check_name)):
        for index, one in enumerate(given):
            problem = _refusal(check, one)
            if problem:
                yield ("configuration", name, index), problem.removeprefix(f"{name}: ")
    for index, one in enumerate(settings.identity_headers):
        if not is_header(one, ""):
            yield ("configuration", "identity_headers", index), f"{one!r} is not the name of a header"


def _refusal(check: Callable[[str], str], text: str) -> str:
    try:
        check(text)
    except UsageError as error:
        return str(error)
    return ""


def _rules(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    for name, rule in configuration.settings.sanitize.items():
        key: Key = ("configuration", "sanitize", name)
        if rule.type == "inList" and not rule.list:
            yield (*key, "list"), "it is missing; it is a list of the values allowed"
        if rule.type == "regexp":
            try:
                re.compile(rule.regexp)
            except re.error as error:
                yield (*key, "regexp"), f"it must be a regular expression: {error}"


def _pools(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    for name, app in configuration.apps.items():
        if app.pool and (posted := postable(configuration, app)):
            text = f"nobody has posted {', '.join(sorted(posted))} when a session is started for the pool"
            yield ("apps", name, "pool"), text


def _variables(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    for name, app in configuration.apps.items():
        for variable in app.env:
            if not variable or "=" in variable:
                yield ("apps", name, "env", variable), "the name of a variable is not empty, and has no ="


def _scripts(configuration: Configuration) -> Iterator[tuple[Key, str]]:
    """Posted keys in a text that a shell or an interpreter runs: quotes in them would end the surrounding quotes."""
    for name, app in configuration.apps.items():
        unchecked = postable(configuration, app) - set(configuration.settings.sanitize)
        for key, script in _scripts_of(app):
            free = names([script]) & unchecked
            if free:
                text = f"a script must not hold what clients post; give {', '.join(sorted(free))} a sanitize rule"
                yield ("apps", name, *key), text


def _scripts_of(app: Application) -> Iterator[tuple[Key, Any]]:
    """The scripts in a command and in the commands of a spawner's options, as in `sh -c SCRIPT`, and where they are."""
    commands: dict[Key, Any] = {("cmd",): app.cmd, **{("options", name): value for name, value in app.options.items()}}
    for key, command in commands.items():
        if isinstance(command, (list, tuple)):
            for index, argument in enumerate(command[1:], 1):
                if re.fullmatch(r"-\w*c", str(command[index - 1])):
                    yield (*key, index), argument
