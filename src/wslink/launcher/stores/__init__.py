"""Stores of launchers' sessions, chosen by `state` of the configuration."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from wslink.errors import UsageError
from wslink.launcher.configuration import Settings
from wslink.launcher.stores.base import Store
from wslink.launcher.stores.identity import identity
from wslink.launcher.stores.sqlite import SqliteStore


def open_store(settings: Settings) -> Store:
    """The store that a configuration names; an SQLite file in `log_dir` where it names none.

    Raises:
        UsageError: for another kind, where its library is not installed, and where it cannot be had.
    """
    url = settings.state
    parts = urlsplit(url)
    if parts.scheme in ("", "sqlite"):
        named = url.removeprefix("sqlite:///") or settings.state_file
        return SqliteStore(Path(named or Path(settings.log_dir) / "launcher.sqlite"))
    try:
        from wslink.launcher.stores.redis import RedisStore
    except ImportError as error:
        raise UsageError('state is in Redis, and its client is not installed: pip install "wslink[redis]"') from error
    query = dict(parse_qsl(parts.query))
    name = query.pop("name", "launchers")
    return RedisStore(urlunsplit(parts._replace(query=urlencode(query))), name, identity(settings))
