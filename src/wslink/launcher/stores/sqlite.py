"""The record of sessions in an SQLite file, by which a launcher finds them again after a restart."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Collection
from pathlib import Path

from wslink.errors import UsageError
from wslink.launcher.stores.base import Changes, Record, Store

logger: logging.Logger = logging.getLogger("wslink.launcher")


class SqliteStore(Store):
    """Records of sessions, in an SQLite file that only its owner can read: records hold secrets.

    One launcher has it at a time; the hold ends with the process, however that ends.

    Raises:
        UsageError: if another launcher has it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._unwritten: dict[str, str | None] = {}
        self._failing = False
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=1)
            try:
                self._prepare()
            except sqlite3.Error:
                self._database.close()
                raise
        except (OSError, sqlite3.Error) as error:
            held = "locked" in str(error)
            reason = "another launcher uses it" if held else str(error)
            raise UsageError(f"state file {path}: {reason}") from error

    def _prepare(self) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, record TEXT NOT NULL)")
        self._database.execute("BEGIN IMMEDIATE; ")
        self._database.execute("COMMIT")

    async def put(self, session_id: str, record: Record) -> None:
        """Write a record, or replace it. It is there after any end of this process, unless the disk is full: then it is
        written as soon as that is possible."""
        self._unwritten[session_id] = json.dumps(record)
        self._catch_up()

    async def delete(self, session_id: str) -> None:
        self._unwritten[session_id] = None
        self._catch_up()

    async def look(self, own: Collection[str]) -> Changes:
        self._catch_up()
        return Changes()

    async def records(self) -> dict[str, Record | None]:
        found = self._database.execute("SELECT id, record FROM sessions").fetchall()
        return {session_id: json.loads(record) for session_id, record in found}

    async def close(self) -> None:
        self._catch_up()
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _catch_up(self) -> None:
        """Write what could not be written before."""
        try:
            for session_id, record in list(self._unwritten.items()):
                if record is None:
                    self._database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
                else:
                    self._database.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, record))
                del self._unwritten[session_id]
        except sqlite3.Error as error:
            if not self._failing:
                logger.error("the state file cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False
