"""Options that all commands that connect share."""

from __future__ import annotations

import argparse
import math
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from wslink.client.address import socket_url
from wslink.client.backoff import Reconnect
from wslink.client.connect import Connecting, connect
from wslink.errors import UsageError

MAX_DIGITS = 18
"""Digits of a count."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2)."""


@dataclass(frozen=True)
class Target:
    """A server, and how to connect to it.

    Attributes:
        url: the URL of its WebSocket.
        secret: the secret that was given, or that the URL or WSLINK_SECRET contains.
        timeout: seconds for connecting, and for a call.
        insecure: whether any certificate is accepted.
        headers: added to the handshake.
    """

    url: str
    secret: str | None
    timeout: float
    insecure: bool
    headers: Mapping[str, str]

    @property
    def tls(self) -> ssl.SSLContext | bool:
        return not self.insecure

    def connect(self, compress: bool = False, reconnect: Reconnect | bool = False) -> Connecting:
        """Connect. The link ends with its connection unless `reconnect` is given."""
        return connect(
            self.url, secret=self.secret, timeout=self.timeout, ssl=self.tls, headers=self.headers,
            reconnect=reconnect, compress=compress,
        )  # fmt: skip


def seconds(text: str) -> float:
    """For argparse: 0 or more."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def positive(text: str) -> float:
    """For argparse: more than 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return value


def count(text: str) -> int:
    """For argparse: an integer, 0 or more."""
    if not text.isascii() or not text.isdecimal() or len(text) > MAX_DIGITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the URL, and options for connecting."""
    parser.add_argument(
        "url", help="address of the server's WebSocket, or of its page: http://localhost:8080/?secret=..."
    )
    parser.add_argument(
        "--secret", metavar="SECRET", help="the server's secret, unless its URL or WSLINK_SECRET has it"
    )
    parser.add_argument(
        "--timeout", type=positive, default=10.0, metavar="SECONDS", help="longest time to wait (default: 10)"
    )
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="header of the handshake, such as Cookie:a=b",
    )


def target_of(arguments: argparse.Namespace) -> Target:
    """Raises UsageError for a URL or a header that is not valid."""
    url, found = socket_url(arguments.url)
    headers = {}
    for header in arguments.header:
        name, colon, value = header.partition(":")
        if not colon or not _HEADER.fullmatch(name.strip()) or not value.strip().isprintable():
            raise UsageError(f"--header: {header!r} is not of the form NAME:VALUE")
        headers[name.strip()] = value.strip()
    secret = arguments.secret or found or os.environ.get("WSLINK_SECRET") or None
    return Target(url, secret, arguments.timeout, arguments.insecure, headers)
