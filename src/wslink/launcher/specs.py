"""From a request to what is started, and to what its client is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wslink.launcher.configuration import Application, Configuration
from wslink.launcher.ports import Address
from wslink.launcher.session import Session, new_secret, new_token, public_name
from wslink.launcher.spawners.base import COMMAND, HANDLE, LaunchSpec
from wslink.launcher.variables import command_templates, fill, names

ALWAYS_PUBLIC = ("id", "sessionURL", "sessionManagerURL")


def new_session(
    configuration: Configuration,
    session_id: str,
    application: str,
    accepted: Mapping[str, str],
    client: str,
    lease: Address,
) -> Session:
    """Create a session that has not been started.

    Args:
        session_id: from `session.new_id`.
        accepted: the client's values, from `variables.accept`.
        client: the session's client.
        lease: its port.
    """
    settings = configuration.settings
    values: dict[str, Any] = {
        **accepted,
        **configuration.properties,
        "id": session_id,
        "application": application,
        "host": lease[0],
        "port": lease[1],
        "secret": new_secret(),
        "token": new_token(),
        "secret_file": str(secret_file(configuration, session_id)),
    }
    values["sessionURL"] = fill(settings.session_url, values)
    session = Session(session_id, application, client, lease, values)
    data = {name: fill(template, values) for name, template in configuration.session_data.items()}
    session.public = _public(configuration, {**accepted, **_own(values), **data})
    if "secret" in data or uses_secret(configuration.apps[application]):
        session.public.setdefault("secret", values["secret"])
    return session


def new_spec(configuration: Configuration, session: Session) -> LaunchSpec:
    """What to start for a session."""
    app, values = configuration.apps[session.application], session.values
    # Filled in once: what a client posts is never a template, nor is it for the spawner.
    for_spawner = {**values, "handle": HANDLE, "command": COMMAND}
    return LaunchSpec(
        id=session.id,
        command=tuple(str(fill(argument, values)) for argument in app.cmd),
        environment={name: str(fill(value, values)) for name, value in app.env.items()},
        host=session.lease[0],
        port=session.lease[1],
        log=log_file(configuration, session.id),
        cwd=fill(app.cwd, configuration.properties),
        limits=app.limits,
        grace=configuration.settings.stop_grace,
        options={name: _filled(value, for_spawner) for name, value in app.options.items()},
    )


def write_secret(configuration: Configuration, session: Session) -> None:
    """Write the file that `${secret_file}` names, readable only by its owner, if the command uses it."""
    if "secret_file" in names(command_templates(configuration.apps[session.application])):
        path = secret_file(configuration, session.id)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(session.values["secret"])


def uses_secret(app: Application) -> bool:
    """Whether the application is given the session's secret, so that its client needs it, too."""
    return bool({"secret", "secret_file"} & names(command_templates(app)))


def log_file(configuration: Configuration, session_id: str) -> Path:
    """The file for a session's output."""
    return Path(configuration.settings.log_dir) / f"{session_id}.txt"


def secret_file(configuration: Configuration, session_id: str) -> Path:
    """The file with a session's secret. Its name is visible in the list of processes."""
    return Path(configuration.settings.log_dir).resolve() / f"{public_name(session_id)}.secret"


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in ("id", "application", "host", "port", "secret", "sessionURL")}


def _public(configuration: Configuration, values: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {*configuration.settings.fields, *ALWAYS_PUBLIC}
    return {name: value for name, value in values.items() if name in chosen}


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return fill(value, values)
