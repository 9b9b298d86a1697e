"""Warnings about a configuration: settings that are allowed but certainly not intended, such as keys without a meaning,
fields that are never used, and programs that do not exist. A launcher starts nevertheless, as released ones do;
`--check` fails."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from wslink.launcher.configuration import Application, Authentication, Configuration, Limits, Resource, Settings
from wslink.launcher.source import Key
from wslink.launcher.variables import RESERVED, fill, postable

TOLD = ("id", "application", "host", "port", "secret", "sessionURL", "sessionManagerURL")
"""What clients can be told of every session."""

ALIKE = 0.85
"""How alike (difflib) a variable and a known one are at least where the known one is meant."""


Advice = Iterator[tuple[Key, str]]


def useless(data: dict[str, Any], configuration: Configuration) -> Advice:
    """Yield what has no effect in a configuration, and in the file that it was read from."""
    yield from _unknown(data)
    yield from _fields(configuration)
    yield from _sanitize(configuration)
    yield from _variables(configuration)
    yield from _session_url(configuration)


def unknown_fields(key: Key, value: dict[str, Any], kind: type[msgspec.Struct]) -> Advice:
    """The keys of the object `value`, at `key`, for which a struct has no field."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in value:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            yield (*key, name), f"nothing is known by this name{f'; is {near[0]} meant?' if near else ''}"


def _unknown(data: dict[str, Any]) -> Advice:
    yield from unknown_fields((), data, Configuration)
    settings = data["configuration"]
    yield from unknown_fields(("configuration",), settings, Settings)
    if isinstance(settings.get("authentication"), dict):
        yield from unknown_fields(("configuration", "authentication"), settings["authentication"], Authentication)
    for index, resource in enumerate(data["resources"]):
        yield from unknown_fields(("resources", index), resource, Resource)
    for name, app in data["apps"].items():
        yield from unknown_fields(("apps", name), app, Application)
        if isinstance(app.get("limits"), dict):
            yield from unknown_fields(("apps", name, "limits"), app["limits"], Limits)


def _fields(configuration: Configuration) -> Advice:
    """Fields that no session has."""
    known = {*TOLD, *configuration.session_data, *_posted(configuration)}
    for index, name in enumerate(configuration.settings.fields):
        if name not in known:
            yield ("configuration", "fields", index), f"no session has {name!r}{_meant(name, known)}"


def _sanitize(configuration: Configuration) -> Advice:
    """Rules for keys that fill no variable: a misspelt key would leave another one without its rule."""
    posted = _posted(configuration)
    for name in configuration.settings.sanitize:
        if name not in posted and name not in configuration.properties:
            text = f"clients cannot post {name!r}: no application names it{_meant(name, posted)}"
            yield ("configuration", "sanitize", name), text


def _variables(configuration: Configuration) -> Advice:
    """Variables that clients would have to post, and that are nearly one of the launcher's or a property."""
    known = {*RESERVED, *configuration.properties}
    for name, app in configuration.apps.items():
        for posted in sorted(postable(configuration, app) - set(configuration.settings.sanitize)):
            near = difflib.get_close_matches(posted, sorted(known), 1, ALIKE)
            if near and not posted.startswith(near[0]):
                yield ("apps", name), f"clients would have to post {posted!r}; is {near[0]!r} meant?"


def _session_url(configuration: Configuration) -> Advice:
    """An address that is nearly one of the session proxy, which nothing would answer."""
    url, own = configuration.settings.session_url, f"{configuration.endpoint}/session/${{id}}"
    if "/session/${id}/${token}" in url and own not in url:
        yield ("configuration", "sessionURL"), f"the launcher's own proxy is at {own}/${{token}}/"


def missing_programs(configuration: Configuration) -> Advice:
    """Programs that this machine has to run and does not have, and directories to run them in that do not exist."""
    for name, app in configuration.apps.items():
        if app.spawner == "local":
            directory = str(fill(app.cwd, configuration.properties))
            if "$" not in directory and not os.path.isdir(directory or os.curdir):
                yield ("apps", name, "cwd"), f"there is no directory {directory!r}"
            yield from _program(("apps", name, "cmd", 0), app.cmd[0], configuration, directory)
        elif app.spawner == "command":
            for option, command in app.options.items():
                if isinstance(command, list) and command:
                    yield from _program(("apps", name, "options", option, 0), command[0], configuration, "")
        elif app.spawner == "slurm" and shutil.which("sbatch") is None:
            yield ("apps", name, "spawner"), "there is no program 'sbatch' in PATH"


def _program(key: Key, template: Any, configuration: Configuration, directory: str) -> Advice:
    program = str(fill(str(template), configuration.properties))
    if "$" in program:  # unknown until a client posts it
        return
    if os.sep not in program:
        found, where = shutil.which(program), "in PATH"
    else:
        # What is named by a path is looked for in the directory that it is started in.
        found, where = shutil.which(os.path.join(directory or os.curdir, program)), f"from {directory or 'here'}"
    if found is None:
        yield key, f"there is no program {program!r} {where}"


def _posted(configuration: Configuration) -> set[str]:
    return {name for app in configuration.apps.values() for name in postable(configuration, app)}


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; is {near[0]!r} meant?" if near else ""
