"""Changing the configuration of a running launcher: which settings can be changed, and which need a restart."""

from __future__ import annotations

import msgspec

from wslink.launcher.configuration import Application, Configuration, Settings

FIXED = (
    *("host", "port", "endpoint", "proxy_file", "session_url", "log_dir", "content", "max_body"),
    *("state_file", "state", "launcher", "launcher_url"),
)
"""Fields of `Settings` that stay as they are until the launcher is restarted: sockets, routes and files that it has
open."""


def followed(old: Configuration, new: Configuration) -> tuple[Configuration, list[str]]:
    """The settings of `new` that a launcher running with `old` can use, and the names of those that need a restart."""
    kept = {name: getattr(old.settings, name) for name in FIXED}
    late = [
        field.encode_name
        for field in msgspec.structs.fields(Settings)
        if field.name in FIXED and kept[field.name] != getattr(new.settings, field.name)
    ]
    return msgspec.structs.replace(new, settings=msgspec.structs.replace(new.settings, **kept)), late


def outdated(old: Configuration, new: Configuration) -> frozenset[str]:
    """The applications of `old` whose sessions would be started differently, or not at all, with `new`."""
    same = (old.properties, old.session_data, old.settings.fields) == (
        new.properties,
        new.session_data,
        new.settings.fields,
    )
    return frozenset(name for name, app in old.apps.items() if not same or _start(app) != _start(new.apps.get(name)))


def _start(app: Application | None) -> Application | None:
    """The settings of an application that affect a start: the number of standbys does not."""
    return app and msgspec.structs.replace(app, pool=0, idle_timeout=None, max_age=None)
