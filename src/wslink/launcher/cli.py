"""The command line: `wslink launch CONFIG`, and `python -m wslink.launcher CONFIG`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

from wslink.console import complain, say
from wslink.errors import ConfigurationError, UsageError
from wslink.http.run import serve
from wslink.launcher.configuration import Configuration, with_environment
from wslink.launcher.launcher import Launcher
from wslink.launcher.policy import Policy
from wslink.launcher.service import Service
from wslink.launcher.spawners.base import find_spawners
from wslink.launcher.validation import load, missing_programs, warnings
from wslink.launcher.variables import postable
from wslink.logs import FORMATS, JsonFormatter

logger: logging.Logger = logging.getLogger("wslink.launcher")

LOG_SIZE, LOG_COUNT = 10 * 2**20, 3
"""Bytes of launcherLog.log, at most, and how many older ones are kept beside it."""
LOG_FORMAT = "%(asctime)s:%(levelname)s:%(name)s:%(message)s"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0, 1 if the launcher cannot run, 2 for an invalid
    configuration."""
    arguments = _parser().parse_args(argv)
    try:
        configuration = with_environment(load(arguments.config))
        advice = [*warnings(arguments.config), *missing_programs(arguments.config)]
        if arguments.check:
            advice += _unusable_policy(configuration)
        for sentence in advice:
            complain(f"{'' if arguments.check else 'warning: '}{sentence}")
        if arguments.check:
            summary = _summary(configuration)
            if advice:
                return 2
            say(summary)
            return 0
        run(configuration, arguments.debug, arguments.log_format, lambda: _read_again(arguments.config))
    except ConfigurationError as error:
        complain(str(error))
        return 2
    except (UsageError, OSError) as error:
        complain(f"wslink launch: {error}")
        return 1
    return 0


def run(
    configuration: Configuration,
    debug: bool = False,
    log_format: str = "text",
    read_again: Callable[[], Configuration] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        configuration: the configuration.
        debug: whether to log debugging messages, to stdout as well.
        log_format: one of `wslink.logs.FORMATS`.
        read_again: reads the configuration at SIGHUP; None if it cannot be read again.

    Raises:
        UsageError: a setting is not valid.
        OSError: the address cannot be bound.
    """
    service = Service(Launcher(configuration))
    _log_to(Path(configuration.settings.log_dir) / "launcherLog.log", debug, log_format)

    def hung_up() -> None:
        _reload(service, read_again or (lambda: configuration))

    asyncio.run(serve(service.application(), configuration.settings.host, configuration.settings.port, hung_up))


def _log_to(path: Path, debug: bool, log_format: str) -> None:
    logger = logging.getLogger("wslink")
    handlers: list[logging.Handler] = [_PrivateFile(path, maxBytes=LOG_SIZE, backupCount=LOG_COUNT)]
    if debug and sys.stdout is not None:
        handlers.append(logging.StreamHandler(sys.stdout))
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(LOG_FORMAT))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logging.raiseExceptions = False  # a full disk or a closed pipe is no reason to write to stderr line by line


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A log file that only its owner can read, even if an earlier launcher allowed others."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError, AttributeError):
            os.fchmod(descriptor, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="utf-8", errors="backslashreplace")


def _read_again(path: str) -> Configuration:
    """Read the configuration file again, and log what has no effect in it. Raises ConfigurationError."""
    configuration = with_environment(load(path))
    for sentence in [*warnings(path), *missing_programs(path)]:
        logger.warning("%s", sentence)
    return configuration


def _reload(service: Service, read_again: Callable[[], Configuration]) -> None:
    """Called at SIGHUP: use the configuration file's current content. Sessions continue, even if it is invalid."""
    try:
        late = service.reload(read_again())
    except (ConfigurationError, UsageError) as error:
        logger.error("SIGHUP: the configuration is wrong, what was read before stays valid: %s", error)
    except Exception:  # from a spawner or an authenticator that the configuration names
        logger.exception("SIGHUP: the configuration cannot be followed, what was read before stays valid")
    else:
        if late:
            logger.warning("SIGHUP: these settings need a restart, and stay as they were: %s", ", ".join(late))
        logger.info("SIGHUP: the configuration and the files that it names were read again")


def _unusable_policy(configuration: Configuration) -> list[str]:
    """What is wrong with authentication and with the files that it needs, for which a launcher would not start."""
    try:
        Policy.of(configuration.settings)
    except UsageError as error:
        return [str(error)]
    return []


def _summary(configuration: Configuration) -> str:
    """The output of `--check` for a valid configuration."""
    find_spawners(configuration)
    lines = [f"The configuration is right: {len(configuration.apps)} applications at {configuration.endpoint}/"]
    for name, app in configuration.apps.items():
        posted = ", ".join(sorted(postable(configuration, app))) or "nothing"
        lines.append(f"  {name}: started by {app.spawner!r}; clients may post {posted}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wslink launch", description="Start a session of an application per user.")
    parser.add_argument("config", help="configuration file: JSON, in which comments are allowed, or TOML")
    parser.add_argument("--check", action="store_true", help="check the configuration and end")
    parser.add_argument("-d", "--debug", action="store_true", help="log debugging messages, to stdout too")
    parser.add_argument(
        "--log-format", choices=FORMATS, default="text", help="lines of text, or of JSON (default: text)"
    )
    parser.add_argument("--backend", choices=["aiohttp"], default="aiohttp", help="kept from released launchers")
    return parser
