"""Logging of the command line. The library itself only writes to loggers; docs/logging.md lists them."""

from __future__ import annotations

import argparse
import json
import logging
import time

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

_FIELDS = ("client", "user", "address", "session", "method")
"""Fields of records beside the message, where they are known."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time (UTC, ISO 8601), level, logger, message, and what else is known of it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, str] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _FIELDS:
            value = getattr(record, name, None)
            if value:
                entry[name] = str(value)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def formatter(format_: str) -> logging.Formatter:
    """The formatter of a format: "text" or "json"."""
    if format_ == "json":
        return JsonFormatter()
    return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def add_log_options(parser: argparse.ArgumentParser, level: str) -> None:
    """Add `--log-level`, whose default is `level`, and `--log-format`."""
    parser.add_argument("--log-level", choices=LEVELS, default=level, help=f"least level to log (default: {level})")
    parser.add_argument(
        "--log-format", choices=FORMATS, default="text", help="lines of text, or of JSON (default: text)"
    )


def log_to_stderr(level: str, format_: str) -> None:
    """Write what is logged to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(format_))
    logging.basicConfig(level=level.upper(), handlers=[handler])
