"""The launcher's names in released wslink, implemented with this launcher. The only module here with camelCase."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wslink.console import say
from wslink.errors import ConfigurationError, UsageError
from wslink.launcher import validation
from wslink.launcher.cli import run
from wslink.launcher.configuration import Resource, SanitizeRule, with_environment
from wslink.launcher.log import LineWatch
from wslink.launcher.mapping import ProxyFile
from wslink.launcher.ports import Ports
from wslink.launcher.service import Service as LauncherResource  # noqa: F401
from wslink.launcher.session import new_id, new_secret
from wslink.launcher.source import read_source, remove_comments  # noqa: F401
from wslink.launcher.variables import fill, sanitized

logger: logging.Logger = logging.getLogger("wslink.launcher")

STATUS_OK = 200
STATUS_BAD_REQUEST = 400
STATUS_NOT_FOUND = 404
STATUS_SERVICE_UNAVAILABLE = 503

sample_config_file = """
A configuration:

    {
        "configuration": {
            "host": "localhost",
            "port": 8080,
            "endpoint": "paraview",                          // POST /paraview/ starts a session
            "content": "www",                                // optional: directory served at /
            "proxy_file": "proxy-mapping.txt",               // a line "id host:port" per session, for Apache
            "sessionURL": "ws://USE_HOST/proxy?sessionId=${id}&path=ws",
            "timeout": 25,                                   // seconds that a session has to become ready
            "log_dir": "logs",
            "fields": ["sessionURL", "secret", "id"]         // what clients are told
        },
        "resources": [{"host": "localhost", "port_range": [9001, 9100]}],
        "properties": {"python": "/usr/bin/python3"},
        "apps": {
            "viewer": {
                "cmd": ["${python}", "viewer.py", "--port", "${port}", "--authKey", "${secret}"],
                "ready_line": "Starting factory"
            }
        }
    }

docs/launcher.md has every key.
"""


def generatePassword() -> str:
    """A random secret."""
    return new_secret()


def validateKeySet(obj: Any, expected_keys: Sequence[str], object_name: str) -> bool:
    """Whether `obj` has all keys. Prints those that are missing."""
    missing = [key for key in expected_keys if key not in obj]
    for key in missing:
        say(f"ERROR: {object_name} is missing {key} key.")
    return not missing


def checkSanitize(key_pair: dict[str, Any], sanitize: Mapping[str, Any]) -> None:
    """Replace values that their rule does not allow by its default, in place."""
    for key, rule in (sanitize or {}).items():
        if key in key_pair:
            key_pair[key] = sanitized(str(key_pair[key]), _rule(rule))


def replaceVariables(template_str: str, variable_list: Sequence[dict[str, Any]], sanitize: Mapping[str, Any]) -> str:
    """Replace the variables in a template. The first dictionary that has a variable wins."""
    values: dict[str, Any] = {}
    for key_pair in reversed(variable_list):
        checkSanitize(key_pair, sanitize)
        values.update(key_pair)
    return str(fill(template_str, values))


def replaceList(
    template_list: Sequence[str], variable_list: Sequence[dict[str, Any]], sanitize: Mapping[str, Any]
) -> list[str]:
    return [replaceVariables(template, variable_list, sanitize) for template in template_list]


def filterResponse(obj: Mapping[str, Any], public_keys: Sequence[str]) -> dict[str, Any]:
    """The fields of a session that its client is told."""
    chosen = {*public_keys, "id", "sessionURL", "sessionManagerURL"}
    return {key: value for key, value in obj.items() if key in chosen}


def extractSessionId(request: Any) -> str | None:
    """The last segment of a request's path; None if that is the endpoint itself."""
    segments = str(request.path).split("/")
    return segments[-1] if len(segments) > 2 else None


def jsonResponse(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()


class SessionManager:
    """Sessions as dictionaries: their ports, variables and commands."""

    def __init__(self, config: dict[str, Any], mapping: ProxyMappingManager) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.config = config
        self.resources: ResourceManager = ResourceManager(config["resources"])
        self.mapping = mapping
        self.sanitize: Any = config["configuration"].get("sanitize", {})

    def createSession(self, options: dict[str, Any]) -> dict[str, Any] | None:
        """Create a session; None if all ports are in use. Properties take precedence over what a client sent."""
        host, port = self.resources.getNextResource()
        if host is None:
            return None
        options = {**options, "id": new_id(), "host": host, "port": port, "secret": new_secret()}
        variables = [dict(self.config["properties"]), options]
        options["sessionURL"] = replaceVariables(self.config["configuration"]["sessionURL"], variables, self.sanitize)
        options["cmd"] = replaceList(self.config["apps"][options["application"]]["cmd"], variables, self.sanitize)
        for key, template in self.config.get("sessionData", {}).items():
            options[key] = replaceVariables(template, variables, self.sanitize)
        self.sessions[options["id"]] = options
        self.mapping.update(self.sessions)
        return options

    def deleteSession(self, id: str) -> None:
        session = self.sessions.pop(id)
        self.resources.freeResource(session["host"], session["port"])
        self.mapping.update(self.sessions)

    def getSession(self, id: str) -> dict[str, Any] | None:
        return self.sessions.get(id)


class ProxyMappingManager:
    def update(self, sessions: Mapping[str, Any]) -> None:
        """Tell a proxy which sessions exist."""


class ProxyMappingManagerTXT(ProxyMappingManager):
    """Writes the proxy file."""

    def __init__(self, file_path: str, pattern: str = "%s %s:%d\n") -> None:
        self.file_path = file_path
        self.pattern = pattern

    def update(self, sessions: Mapping[str, Any]) -> None:
        lines = {id: (session["host"], session["port"]) for id, session in sessions.items()}
        ProxyFile(self.file_path, self.pattern).write(lines)


class ResourceManager:
    """The pool of ports."""

    def __init__(self, resourceList: Sequence[Mapping[str, Any]]) -> None:
        self._ports = Ports(Resource(one["host"], tuple(one["port_range"])) for one in resourceList)

    def getNextResource(self) -> tuple[str, int] | tuple[None, None]:
        """A host and a port; (None, None) if there is none."""
        return self._ports.take() or (None, None)

    def freeResource(self, host: str, port: int) -> None:
        self._ports.give_back((host, port))


class ProcessManager:
    """The processes of sessions that `SessionManager` created."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.config = configuration
        self.log_dir: Any = configuration["configuration"]["log_dir"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def _getLogFilePath(self, id: str) -> Path:
        return Path(self.log_dir) / f"{id}.txt"

    def startProcess(self, session: Mapping[str, Any]) -> subprocess.Popen[bytes] | None:
        """The process; None if it cannot be started."""
        log = os.open(self._getLogFilePath(session["id"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(session["cmd"], stdout=log, stderr=log)  # noqa: S603 - an argument list
        except (OSError, ValueError):
            return None
        finally:
            os.close(log)
        self.processes[session["id"]] = process
        return process

    def stopProcess(self, id: str) -> None:
        self.processes.pop(id).terminate()

    def listEndedProcess(self) -> list[str]:
        return [id for id in self.processes if not self.isRunning(id)]

    def isRunning(self, id: str) -> bool:
        return self.processes[id].poll() is None

    def isReady(self, session: Mapping[str, Any], count: int = 0) -> bool:
        """Whether the process is running and has written its ready line, if it has one."""
        ready_line = self.config["apps"][session["application"]].get("ready_line") or ""
        return self.isRunning(session["id"]) and LineWatch(self._getLogFilePath(session["id"]), ready_line).look()


def parseConfig(options: Any) -> dict[str, Any]:
    """The configuration in the file `options.config[0]`, as a dictionary. Prints what is wrong and exits with 2."""
    path = Path(options.config[0])
    try:
        validation.load(path)
    except ConfigurationError as error:
        say(f"ERROR: {error}\n{sample_config_file}")
        sys.exit(2)
    config = read_source(path).data
    config["configuration"].setdefault("content", "")
    config["configuration"].setdefault("sanitize", {})
    return config


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("config", type=str, nargs=1, help="configuration file for the launcher")
    parser.add_argument("-d", "--debug", help="log debugging messages to stdout", action="store_true")
    parser.add_argument("--backend", help="server implementation to use (aiohttp)", default="aiohttp")
    return parser


def start(argv: Sequence[str] | None = None, description: str = "wslink Web Launcher") -> None:
    """Read the command line and the configuration that it names, and run."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=sample_config_file
    )
    args = add_arguments(parser).parse_args(argv)
    try:
        startWebServer(args, parseConfig(args), args.backend)
    except UsageError as error:
        parser.error(str(error))


def startWebServer(args: Any, config: dict[str, Any], backend: str = "aiohttp") -> None:
    """Run the launcher until it is interrupted."""
    if backend != "aiohttp":
        raise Exception(f"{backend} backend is not implemented")
    run(with_environment(validation.convert(config)), bool(getattr(args, "debug", False)))


def _rule(rule: Mapping[str, Any]) -> SanitizeRule:
    return SanitizeRule(rule["type"], rule["default"], tuple(rule.get("list", ())), rule.get("regexp", ""))
