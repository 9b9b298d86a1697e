"""Several worker processes behind one port, and their supervision."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from wslink.console import say
from wslink.errors import UsageError
from wslink.http.listen import listening_sockets
from wslink.hub.life import announce
from wslink.server.options import Options
from wslink.server.workers import CONTROL, SECRET, SOCKETS

logger: logging.Logger = logging.getLogger("wslink")

STARTING = 60.0
"""Seconds in which a worker has to be ready."""
HEALTHY = 10.0
"""Seconds after which a worker that ends is started again at once."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds until a worker that did not run for that long is started again; doubled each time."""
GRACE = 5.0
"""Seconds that a worker has beyond its `stop_timeout` before it is killed."""
LOOK = 0.1
"""Seconds between looks at processes."""


class Process:
    """One worker process.

    Attributes:
        url: the worker's URL once it is ready; "" before.
    """

    def __init__(self, command: Sequence[str], sockets: Sequence[socket.socket], environment: dict[str, str]) -> None:
        self.url: str = ""
        self.began: float = time.monotonic()
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        fds = [one.fileno() for one in sockets]
        own = {SOCKETS: ",".join(map(str, fds)), CONTROL: str(theirs.fileno()), "WSLINK_READY_MSG": ""}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                command, env={**environment, **own}, pass_fds=[*fds, theirs.fileno()], stdin=subprocess.DEVNULL
            )
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code once it has exited, and update whether it is ready (`url`)."""
        with contextlib.suppress(OSError):
            self.url = self._control.recv(4096).decode() or self.url
        return self._process.poll()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def end(self, timeout: float) -> None:
        """Have the process exit within `timeout` seconds."""
        self.stop()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            logger.warning("worker %d is killed: it did not stop within %g s", self.pid, timeout)
            self._process.kill()
            self._process.wait()
        self._control.close()


class Slot:
    """The place of one worker: its own sockets on the port. They outlive the worker, so that no connection is lost
    while it is replaced."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self.process: Process | None = None
        self.failures = 0
        self.due = 0.0
        """When it is started again."""


class Supervisor:
    """Runs workers until a signal arrives (SIGINT, SIGTERM) or one of them exits normally.

    A worker that exits otherwise is restarted, at once if it has run for HEALTHY seconds. At SIGHUP workers are
    replaced one after the other, each once its successor is ready.

    Args:
        arguments: the arguments of `wslink serve` for one worker.
        options: the same arguments, parsed.
        count: the number of workers.
    """

    def __init__(self, arguments: Sequence[str], options: Options, count: int) -> None:
        self._command = [sys.executable, "-m", "wslink", "serve", *arguments]
        self._options = options
        self._environment = {**os.environ, SECRET: os.environ.get(SECRET) or secrets.token_urlsafe(32)}
        self._slots = [Slot(sockets) for sockets in _sockets(options.host, options.port, count)]
        self._patience = options.stop_timeout + GRACE
        self._stopping = False
        self._reloads: list[Slot] = []
        self._wakeup, self._signalled = socket.socketpair()
        self._signalled.setblocking(False)  # one signal that is noted is as good as hundreds
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._code = 0

    def run(self) -> int:
        """Run the workers and return the exit code."""
        before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            for slot in self._slots:
                slot.process = self._start(slot)
            if self._all_ready():
                self._watch()
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._code

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reloads = list(self._slots)
        else:
            self._stopping = True
        with contextlib.suppress(OSError):
            self._signalled.send(b"s")

    def _start(self, slot: Slot) -> Process:
        return Process(self._command, slot.sockets, self._environment)

    def _sleep(self) -> None:
        """Wait for a signal, or for LOOK seconds."""
        if self._selector.select(LOOK):
            self._wakeup.recv(4096)

    def _await(self, process: Process, others: Sequence[Slot] = ()) -> bool:
        """Wait until a worker is ready; returns whether it is, in time. The `others` are supervised meanwhile."""
        while not self._stopping and time.monotonic() - process.began < STARTING:
            for slot in others:
                self._look(slot)
            ended = process.poll() is not None
            if process.url:
                return True
            if ended:
                return False
            self._sleep()
        return False

    def _all_ready(self) -> bool:
        for slot in self._slots:
            if slot.process is None or not self._await(slot.process):
                self._code = 0 if self._stopping else 1
                return False
        first = self._slots[0].process
        say(f"wslink: serving on {first.url if first is not None else ''} with {len(self._slots)} workers")
        announce(self._options.ready_msg)
        return True

    def _watch(self) -> None:
        while not self._stopping:
            for slot in self._slots:
                self._look(slot)
            if self._reloads and not self._stopping:
                self._replace(self._reloads.pop(0))
            self._sleep()

    def _look(self, slot: Slot) -> None:
        process, now = slot.process, time.monotonic()
        if process is None:
            if now >= slot.due:
                self._start_again(slot)
            return
        code = process.poll()
        if code is None:
            return
        process.end(0)
        slot.process = None
        if code == 0:
            self._stopping = True  # a client asked it to exit, or it received a signal itself
            return
        slot.failures = 0 if now - process.began > HEALTHY else slot.failures + 1
        delay = _delay(slot.failures)
        slot.due = now + delay
        logger.error("worker %d ended with %d; another one is started in %g s", process.pid, code, delay)

    def _start_again(self, slot: Slot) -> None:
        """Start another worker in a slot, or try again later where the system is short of processes, memory or files:
        that is no reason to end the others."""
        try:
            slot.process = self._start(slot)
        except OSError as error:
            slot.failures += 1
            slot.due = time.monotonic() + _delay(slot.failures)
            logger.error("no worker can be started: %s; again in %g s", error, _delay(slot.failures))

    def _replace(self, slot: Slot) -> None:
        """Start another worker in a slot, and then stop the previous one."""
        try:
            before, after = slot.process, self._start(slot)
        except OSError as error:
            logger.error("no new worker can be started: %s; the ones before are kept", error)
            self._reloads.clear()
            return
        if not self._await(after, [other for other in self._slots if other is not slot]):
            if not self._stopping:
                logger.error("the new worker is not ready: the ones before are kept")
                self._reloads.clear()
            after.end(GRACE)
            return
        slot.process, slot.failures = after, 0
        if before is not None:
            before.end(self._patience)

    def _end(self) -> None:
        processes = [slot.process for slot in self._slots if slot.process is not None]
        for process in processes:
            process.stop()
        deadline = time.monotonic() + self._patience
        for process in processes:
            process.end(max(deadline - time.monotonic(), 0.1))
        for slot in self._slots:
            for one in slot.sockets:
                one.close()


def _delay(failures: int) -> float:
    """Seconds until a worker is restarted after this many failures in a row."""
    return min(FIRST_DELAY * 2 ** min(failures - 1, 32), LONGEST_DELAY) if failures else 0.0


def supervise(arguments: Sequence[str], options: Options, count: int) -> int:
    """Run `count` workers and return the exit code.

    Raises:
        OSError: the port cannot be bound.
        UsageError: a setting is not possible with several workers.
    """
    if os.name != "posix":
        raise UsageError("several workers need a POSIX system")
    refused = {"timeout": options.timeout > 0, "reverse_url": bool(options.reverse_url), "inspector": options.inspector}
    for name, given in refused.items():
        if given:
            raise UsageError(f"{name} is for one worker, and there are {count}")
    return Supervisor(arguments, options, count).run()


def _sockets(host: str, port: int, count: int) -> list[list[socket.socket]]:
    """Open listening sockets for each worker, all on one port. The kernel distributes connections among them where it
    can."""
    found = [listening_sockets(host, port, shared=True)]
    port = int(found[0][0].getsockname()[1])
    make: Callable[[], list[socket.socket]] = lambda: listening_sockets(host, port, shared=True)  # noqa: E731
    if not hasattr(socket, "SO_REUSEPORT"):
        make = lambda: [one.dup() for one in found[0]]  # noqa: E731
    return [*found, *(make() for _ in range(count - 1))]
