"""Large payloads between workers of one host: written once to the host's shared memory, and read from there.

`/dev/shm/wslink-UID` is accessible to its user only. Each worker has a directory in it, with its name, which is locked
while the worker runs. A publisher writes a file to its own directory, and links it into those of its readers. A reader
maps the file and removes its link, so that the memory is freed when nobody is reading it any more. A random token in
the directory identifies the host: containers that do not share `/dev/shm` are different hosts.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import os
import re
import secrets
import stat
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wslink.cluster import host_directories
from wslink.cluster.records import Record, Reference
from wslink.wire.frames import Buffer

logger: logging.Logger = logging.getLogger("wslink")

SHARED_FROM = 256 * 1024
"""Bytes from which a payload is passed by reference."""
GRACE = 1.0
"""Seconds for which a file that all have read is kept, for a worker that comes at this moment."""
MAX_MAPPED = 256
"""Files that are mapped at a time, each of which holds a descriptor; more are copied."""
_NAME = re.compile(r"(w[0-9a-f]{16})\.(\d{1,18})\.[0-9a-f]{16}")
MAX_NAMES = 4
"""Names of this worker, the newest, under which payloads are read: those of before are gone when it is taken for dead
so often."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""For now; what else goes wrong will do so again."""


@dataclass(slots=True)
class _Written:
    """A file of this worker, for the record with that number, and when it was read from the log."""

    name: str
    size: int
    number: int
    read_at: float = 0.0


class HostMemory:
    """One worker's part of the shared memory. Use it on the event loop's thread. Never raises.

    Args:
        limit: returns the bytes in files that others may not have read yet (LIM-24, `max_shared`); 0 disables sharing.
        changed: called when `host` has changed.
        directory: the shared-memory directory of the host.

    Attributes:
        host: the id of the host; "" if nothing is shared.
        used: bytes in this worker's files.
    """

    def __init__(
        self, limit: Callable[[], int], changed: Callable[[], None], directory: Path = host_directories.MEMORY
    ) -> None:
        self.host: str = ""
        self.used: int = 0
        self._limit, self._changed, self._directory = limit, changed, directory
        self._root = -1
        self._own: list[tuple[str, int]] = []  # names of this worker, the newest first, with their locked directories
        self._sent: deque[_Written] = deque()
        self._read: deque[_Written] = deque()
        self._mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def begin(self, worker: str) -> None:
        """Share under this name from now on, and continue reading under previous names. What was written under those
        counts as read: records of a worker that was considered dead are ignored."""
        if not self._limit():
            return
        self.passed(None)
        try:
            if self._root < 0:
                self._root = host_directories.open_root(self._directory)
            self._own.insert(0, (worker, host_directories.make(self._root, worker)))
            former = self._own[MAX_NAMES:]
            del self._own[MAX_NAMES:]
            for name, directory in former:
                host_directories.remove(self._root, name, directory)
            self.host = host_directories.identity(self._root)
            self.sweep()
        except OSError as error:
            level = logging.WARNING if isinstance(error, PermissionError) else logging.DEBUG
            logger.log(level, "large publications go through the broker: %s", error)
            self.host = ""

    def end(self) -> None:
        """Release everything. Safe to call more than once."""
        for name, directory in self._own:
            host_directories.remove(self._root, name, directory)
        if self._root >= 0:
            os.close(self._root)
        self._own, self._root, self.host, self.used = [], -1, "", 0
        self._sent.clear()
        self._read.clear()

    def sweep(self) -> None:
        """Remove what workers that were killed have left behind."""
        if self._root >= 0:
            host_directories.sweep(self._root)

    # Writing ------------------------------------------------------------------

    def put(self, number: int, buffers: Sequence[Buffer], readers: Iterable[str] | None) -> Reference | None:
        """Write the payload of this worker's record with that number, for other workers of this host.

        Returns:
            A reference to it; None if it has to be sent through the broker, because `readers` is None or too much is
                waiting.
        """
        size = sum(map(len, buffers))
        if not self.host or readers is None or size < SHARED_FROM or not self._has_room(size):
            return None
        own, readers = self._own[0][0], list(readers)
        name = f"{own}.{number}.{secrets.token_hex(8)}"
        try:
            host_directories.write(self._root, f"{own}/{name}", buffers)
            for reader in readers:
                with contextlib.suppress(FileNotFoundError):  # it ends at this moment
                    os.link(f"{own}/{name}", f"{reader}/{name}", src_dir_fd=self._root, dst_dir_fd=self._root)
        except OSError as error:
            for directory in (own, *readers):
                self._unlink(directory, name)
            if error.errno not in _FULL:
                self._give_up(f"{error}")
            return None
        self._sent.append(_Written(name, size, number))
        self.used += size
        return name, size

    def _has_room(self, size: int) -> bool:
        """Whether the limit is observed, and half of the host's shared memory is left to others."""
        if self.used + size > self._limit():
            self.tidy(0)
        try:
            whole = os.fstatvfs(self._root)
        except OSError:
            return False
        free = whole.f_bavail * whole.f_frsize - size
        return self.used + size <= self._limit() and free * 2 >= whole.f_blocks * whole.f_frsize

    def passed(self, number: int | None) -> None:
        """This worker's record with that number was read from the log; None means all that were written."""
        while self._sent and (number is None or self._sent[0].number <= number):
            one = self._sent.popleft()
            one.read_at = time.monotonic()
            self._read.append(one)

    def tidy(self, grace: float = GRACE) -> None:
        """Remove what all have read, `grace` seconds after it was read from the log. Readers read in order."""
        now = time.monotonic()
        while self._read and now - self._read[0].read_at >= grace:
            one = self._read[0]
            owner = one.name.partition(".")[0]
            with contextlib.suppress(OSError):
                if os.stat(f"{owner}/{one.name}", dir_fd=self._root).st_nlink > 1:
                    return
            self._unlink(owner, one.name)
            self.used -= one.size
            self._read.popleft()

    # Reading --------------------------------------------------------------------

    def fetch(self, record: Record) -> bool:
        """Load the payload of a record that has a reference. Returns whether it still existed."""
        if record.reference is None:
            return True
        payload = self._load(record.origin, *record.reference)
        if payload is None:
            if self.host:
                self._give_up(f"a payload of worker {record.origin} is gone")
            return False
        record.payload = payload
        return True

    def _load(self, writer: str, name: str, size: int) -> memoryview | None:
        if self._root < 0 or not _belongs(name, writer):  # it could lead anywhere
            return None
        own = [one for one, _ in self._own]
        for directory in (*own, *({writer} - set(own))):
            try:
                file = os.open(f"{directory}/{name}", host_directories.READ, dir_fd=self._root)
            except OSError:
                continue
            try:
                return self._map(file, size)
            finally:
                os.close(file)
                if directory != writer:
                    self._unlink(directory, name)
        return None

    def _map(self, file: int, size: int) -> memoryview | None:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size or not size:
            return None
        with contextlib.suppress(OSError):
            if len(self._mapped) < MAX_MAPPED:
                mapped = mmap.mmap(file, size, access=mmap.ACCESS_READ)
                self._mapped.add(mapped)
                return memoryview(mapped)
        with contextlib.suppress(OSError), os.fdopen(os.dup(file), "rb") as whole:
            return memoryview(whole.read())
        return None

    def discard(self, record: Record) -> None:
        """A record that does not count was read."""
        if record.reference is not None and _belongs(record.reference[0], record.origin):
            for directory, _ in self._own:
                if directory != record.origin:
                    self._unlink(directory, record.reference[0])

    def forget(self, writer: str, before: int | None = None) -> None:
        """Records of a worker were lost: all before that number, or all."""
        for directory, opened in self._own:
            for name in host_directories.names(opened):
                found = _NAME.fullmatch(name)
                if found and found[1] == writer != directory and (before is None or int(found[2]) < before):
                    self._unlink(directory, name)

    def _unlink(self, directory: str, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{directory}/{name}", dir_fd=self._root)

    def _give_up(self, why: str) -> None:
        logger.warning("large publications go through the broker from now on: %s", why)
        self.host = ""
        self._changed()


def _belongs(name: str, writer: str) -> bool:
    found = _NAME.fullmatch(name)
    return found is not None and found[1] == writer
