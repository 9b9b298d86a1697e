"""What a launcher has to know to find its sessions again after a restart."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wslink.errors import UsageError

logger: logging.Logger = logging.getLogger("wslink.launcher")


class Store:
    """Records of sessions, in an SQLite file that only its owner can read: records hold secrets.

    One launcher has it at a time; the hold ends with the process, however that ends.

    Raises:
        UsageError: if another launcher has it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._late: dict[str, str | None] = {}
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

    def put(self, session_id: str, record: dict[str, Any]) -> None:
        """Write a record, or replace it. It is there after any end of this process, unless the disk is full: then it is
        written as soon as that is possible. Never raises."""
        self._late[session_id] = json.dumps(record)
        self.catch_up()

    def delete(self, session_id: str) -> None:
        """Delete a record, as `put` writes one."""
        self._late[session_id] = None
        self.catch_up()

    def catch_up(self) -> None:
        """Write what could not be written before."""
        try:
            for session_id, record in list(self._late.items()):
                if record is None:
                    self._database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
                else:
                    self._database.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, record))
                del self._late[session_id]
        except sqlite3.Error as error:
            if not self._failing:
                logger.error("the state file cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for session_id, record in self._database.execute("SELECT id, record FROM sessions").fetchall():
            yield session_id, json.loads(record)

    def close(self) -> None:
        self.catch_up()
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
