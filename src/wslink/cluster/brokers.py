"""Brokers by their URLs."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from wslink.cluster.broker import Broker
from wslink.cluster.memory_log import MemoryBroker
from wslink.errors import UsageError

ESCAPED = "in a user and a password write / as %2F, # as %23, ? as %3F, @ as %40 and % as %25"


def connect(target: str | MemoryBroker) -> Broker:
    """Create the broker for a URL: `redis://`, `rediss://` or `nats://`. `?name=` distinguishes applications that share
    a server ("wslink" by default).

    Raises:
        UsageError: it is another URL, or the library is not installed.
    """
    if isinstance(target, MemoryBroker):
        return target.connect()
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:  # its message may contain part of a password
        raise UsageError(f"broker: its URL cannot be read: {ESCAPED}") from None
    query = dict(parse_qsl(parts.query))
    name = query.pop("name", "wslink")
    kind = parts.scheme
    if kind not in BROKERS or not name.replace("_", "").replace("-", "").isalnum():
        known = "redis://HOST:PORT/DB or nats://HOST:PORT, and ?name= a word"
        raise UsageError(f"broker: {parts.scheme}://{parts.hostname or ''} is not of the form {known}")
    if not parts.hostname or parts.fragment:
        raise UsageError(f"broker: its URL has no host, or a #: {ESCAPED}")
    return BROKERS[kind](urlunsplit(parts._replace(query=urlencode(query))), name)


def _redis(url: str, name: str) -> Broker:
    try:
        from wslink.cluster.redis_log import RedisLog
    except ImportError as error:
        raise UsageError('the broker is Redis, and its client is not installed: pip install "wslink[redis]"') from error
    return RedisLog(url, name)


def _nats(url: str, name: str) -> Broker:
    try:
        from wslink.cluster.nats_log import NatsLog
    except ImportError as error:
        raise UsageError('the broker is NATS, and its client is not installed: pip install "wslink[nats]"') from error
    return NatsLog(url, name)


BROKERS: dict[str, Callable[[str, str], Broker]] = {"redis": _redis, "rediss": _redis, "nats": _nats, "tls": _nats}
