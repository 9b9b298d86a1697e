"""The launcher's configuration: all settings with their allowed values, each declared once.

Names, defaults and meanings are those of released launchers. Settings that these do not have are marked "ours" in
docs/launcher.md, which lists all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from wslink.settings import read

Text = Annotated[str, Meta(min_length=1, description="a string that is not empty")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port: a number from 1 to 65535")]
Count = Annotated[int, Meta(ge=0, le=2**40, description="a whole number, 0 or more, that the system can count")]
Endpoint = Annotated[
    str,
    Meta(pattern=r"^/?[\w.~-]+(/[\w.~-]+)*/?$", description="a path such as paraview or a/b: letters, digits, . _ ~ -"),
]
Scalars = Annotated[dict[str, str | int | float | bool], Meta(description="an object of strings or numbers")]
Values = Annotated[dict[str, Any], Meta(description="an object")]
Arguments = Annotated[
    tuple[str | int | float, ...],
    Meta(min_length=1, description="a list of the program and its arguments, each a string"),
]
Range = Annotated[tuple[Port, Port], Meta(description="the first and the last port, such as [9001, 9100]")]


class SanitizeRule(Struct, frozen=True):
    """A rule for a posted value: it must be in `list`, or begin with a match of `regexp` (end it with `$` to match the
    whole value). Otherwise it is replaced by `default`."""

    type: Annotated[Literal["inList", "regexp"], Meta(description='"inList" or "regexp"')]
    default: Annotated[str | int | float, Meta(description="a string")]
    list: Annotated[tuple[str | int | float, ...], Meta(description="a list of the values allowed")] = ()
    regexp: Annotated[str, Meta(description="a regular expression")] = ""


class Authentication(Struct, frozen=True):
    """Authentication of users who start sessions; see `wslink.launcher.authentication`."""

    type: Annotated[str, Meta(description='"header", "bearer", "jwt", "openid", or "package.module:name" of your own')]
    options: Values = {}


class Limits(Struct, frozen=True):
    """Resource limits of one session's processes; 0 sets none. For the local spawner, on Linux."""

    memory_mb: Count = 0
    cpu_seconds: Count = 0
    open_files: Count = 0
    processes: Count = 0
    nice: Annotated[int, Meta(ge=0, le=19, description="a whole number from 0 to 19: it gets less of the CPU")] = 0


class Settings(Struct, frozen=True, kw_only=True):
    """The section `configuration`."""

    host: Annotated[str, Meta(min_length=1, description="the interface to listen on, such as localhost")]
    port: Annotated[int, Meta(ge=0, le=65535, description="a port: a number from 0 (picks a free one) to 65535")]
    endpoint: Endpoint
    proxy_file: Annotated[
        str, Meta(description="a file that gets a line 'id host:port' per session, or an empty string")
    ]
    session_url: Annotated[str, Meta(min_length=1, description="a template of the address that clients connect to")] = (
        msgspec.field(name="sessionURL")
    )
    timeout: Annotated[
        float, Meta(ge=0, description="the seconds that a session has to become ready: a number, 0 or more")
    ]
    log_dir: Annotated[str, Meta(min_length=1, description="a directory for logs and the state file")]
    fields: Annotated[tuple[str, ...], Meta(description="a list of the names that clients are told")]
    content: Annotated[str, Meta(description="a directory, served at /")] = ""
    sanitize: Annotated[dict[str, SanitizeRule], Meta(description="an object with a rule per posted key")] = {}
    get: Annotated[bool, Meta(description="true to answer GET of a session, or false")] = False
    delete: Annotated[bool, Meta(description="true to answer DELETE of a session, or false")] = False
    origins: Annotated[tuple[str, ...], Meta(description="a list of origins whose pages may ask, beside the own")] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="a list of addresses or networks whose X-Forwarded-For is believed")
    ] = ("127.0.0.1", "::1")
    identity_headers: Annotated[
        tuple[str, ...], Meta(description="a list of headers that name the user, passed on from trusted_proxies alone")
    ] = ()
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="a list of host names that it may be asked by, beside loopback names and addresses"),
    ] = ()
    authentication: Annotated[Authentication | None, Meta(description="an object with type and options")] = None
    admin_token_file: Annotated[str, Meta(description="a file with the administrator's token")] = ""
    max_body: Annotated[int, Meta(ge=1, description="bytes of a request, at most: a whole number")] = 65536
    body_timeout: Annotated[float, Meta(ge=0, description="the seconds that a request has to arrive: a number")] = 10
    max_value: Annotated[int, Meta(ge=1, description="characters of a posted value, at most: a whole number")] = 4096
    sessions_per_client: Annotated[
        int, Meta(ge=0, description="sessions of one client at a time; 0 for any number")
    ] = 50
    starts_per_minute: Annotated[
        int, Meta(ge=0, description="starts of one client within a minute; 0 for any number")
    ] = 120
    idle_timeout: Annotated[
        float, Meta(ge=0, description="seconds without connections after which a session ends; 0 for never")
    ] = 0
    max_age: Annotated[float, Meta(ge=0, description="seconds after which a session ends in any case; 0 for never")] = 0
    stop_grace: Annotated[
        float, Meta(ge=0, description="seconds between an interrupt, a request to end and a kill")
    ] = 1
    keep_sessions: Annotated[
        bool, Meta(description="true to leave sessions running when the launcher stops, or false")
    ] = False
    log_limit: Annotated[int, Meta(ge=0, description="bytes of one session's log, from its end; 0 for any number")] = (
        16 * 2**20
    )
    log_parts: Annotated[
        int, Meta(ge=0, le=100, description="older parts of one session's log to keep, each at most log_limit bytes")
    ] = 0
    keep_logs: Annotated[
        float,
        Meta(ge=0, description="seconds that a log stays after its last line; 0: it goes with its session"),
    ] = 7 * 24 * 3600
    state_file: Annotated[str, Meta(description="an SQLite file, instead of launcher.sqlite in log_dir")] = ""
    state: Annotated[
        str,
        Meta(
            pattern="^$|^sqlite:///.|^rediss?://.|^unix://.",
            description="where it is kept: sqlite:///FILE, or redis://HOST:PORT/DB, which launchers may share",
        ),
    ] = ""
    launcher: Annotated[str, Meta(description="this launcher's name among those that share a state")] = ""
    launcher_url: Annotated[
        str, Meta(pattern="^$|^http://[^/]+/?$", description="where those reach it, such as http://10.0.0.5:9000")
    ] = ""


class Resource(Struct, frozen=True):
    """The ports of one host. Other hosts than this one need a spawner that starts processes there."""

    host: Text
    port_range: Range


class Application(Struct, frozen=True, kw_only=True):
    """An item of `apps`: what is started for a session."""

    cmd: Arguments
    ready_line: Annotated[str | None, Meta(description="a text of the line that says that it is ready")] = None
    env: Annotated[
        dict[str, str | int | float | bool],
        Meta(description="an object of variables for the process, which may be templates"),
    ] = {}
    cwd: Annotated[str, Meta(description="the directory to start in")] = ""
    pool: Annotated[int, Meta(ge=0, description="how many sessions are kept ready: a number, 0 or more")] = 0
    idle_timeout: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="idle_timeout of its sessions, instead of the configuration's"),
    ] = None
    max_age: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="max_age of its sessions, instead of the configuration's"),
    ] = None
    limits: Annotated[Limits, Meta(description="an object of what its processes may use")] = Limits()
    spawner: Annotated[
        str, Meta(min_length=1, description="what starts it: local, command, slurm, or package.module:Class")
    ] = "local"
    options: Annotated[dict[str, Any], Meta(description="an object of settings of its spawner")] = {}


class Configuration(Struct, frozen=True, kw_only=True):
    """A complete configuration. `wslink.launcher.validation` creates it from a file."""

    settings: Annotated[Settings, Meta(description="an object of settings")] = msgspec.field(name="configuration")
    resources: Annotated[tuple[Resource, ...], Meta(description="a list of hosts and their ports")]
    properties: Scalars
    apps: Annotated[dict[str, Application], Meta(description="an object with an application by each name")]
    session_data: Values = msgspec.field(name="sessionData", default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The path of the service, with a leading slash and without a trailing one."""
        return "/" + self.settings.endpoint.strip("/")


def with_environment(configuration: Configuration, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration with `get` and `delete` switched on where WSLINK_LAUNCHER_GET and _DELETE do so. Raises
    UsageError."""
    switches = {
        name: True for name in ("get", "delete") if read(f"WSLINK_LAUNCHER_{name.upper()}", bool, False, environment)
    }
    settings = msgspec.structs.replace(configuration.settings, **switches)
    return msgspec.structs.replace(configuration, settings=settings)
