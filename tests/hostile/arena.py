"""Runs a server, an attack and a well-behaved client beside each other, and says what came of it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.hostile import running, servers
from tests.hostile.probe import Meter, Probe, load
from tests.hostile.registry import MIB
from tests.hostile.sockets import Target, connect
from tests.ports import free_port

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.hostile.servers", "tests.hostile.running", "uvicorn", "tornado.web",
                                   "wslink.relay.cli", "wslink.backends.picows.engine"])  # fmt: skip

KINDS = ("picows", "aiohttp", "asgi", "tornado", "reverse", "relay")


@dataclass
class Server:
    """Attributes:
    felt: where a well-behaved client goes.
    attacked: where attacks go.
    process: the id of the process.
    """

    felt: Target
    attacked: Target
    process: int


@dataclass
class Report:
    """Attributes:
    waited: the well-behaved client's longest wait, in seconds.
    idle: the longest wait of one at a server that nobody attacks, at the same time.
    processor: what the server used during the longest wait, in seconds of processor time.
    growth: bytes by which the process grew.
    answered: calls of the well-behaved client.
    failed: what ended it, or "".
    outcome: what the attacker saw.
    """

    waited: float
    idle: float
    processor: float
    growth: int
    answered: int
    failed: str
    outcome: running.Outcome

    @property
    def caused(self) -> float:
        """The part of the longest wait that the attack caused, in seconds.

        A client of a server that nobody attacks waits now and then as well; and where processes queue for processors,
        a busy one waits for its turn: there the time counts during which it ran.
        """
        waited = self.waited - self.idle
        return min(waited, self.processor) if load() > 1.5 else waited

    def __str__(self) -> str:
        mib = self.growth / MIB
        return (
            f"waited {1000 * self.waited:.0f} ms (idle {1000 * self.idle:.0f}, processor {1000 * self.processor:.0f}), "
            f"grew {mib:.1f} MiB, {self.answered} answers, {self.outcome} {self.failed}"
        )


@contextmanager
def started(kind: str, answers: bool = True, **options: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A process that serves, and what it reported; its limits are `options["limits"]`."""
    ours, theirs = _processes.Pipe()
    limits = options.pop("limits", {})
    process = _processes.Process(target=servers.main, args=(kind, theirs, limits, options), daemon=True)
    process.start()
    try:
        if answers and not ours.poll(20):
            raise TimeoutError(f"{kind} did not start")
        yield process, ours.recv() if answers else {}
    finally:
        process.kill()
        process.join()


@contextmanager
def server(kind: str, **options: Any) -> Iterator[Server]:
    """A server of `kind`."""
    if kind == "relay":
        port = free_port()
        with started("relay", answers=False, port=port) as (process, _):
            url = f"ws://127.0.0.1:{port}/proxy/1"
            _wait_for(port)
            with started("dialing", url=url):
                yield Server(Target(kind, port, "/proxy/1"), Target(kind, port, "/proxy/2"), process.pid)
    elif kind == "reverse":
        dial = free_port()
        with started(kind, dial=dial, **options) as (process, found):
            attacked = Target(kind, dial, dialed=True)
            yield Server(Target(kind, found["port"]), attacked, process.pid)
    else:
        with started(kind, **options) as (process, found):
            target = Target(kind, found["port"])
            yield Server(target, target, process.pid)


def _wait_for(port: int) -> None:
    for _ in range(500):
        try:
            connect(port).close()
        except OSError:
            time.sleep(0.02)
        else:
            return


class Control:
    """A server that nobody attacks, for as long as tests run."""

    def __init__(self) -> None:
        self._context = server("picows")
        self.server = self._context.__enter__()

    def close(self) -> None:
        self._context.__exit__(None, None, None)


def trial(kind: str, name: str, seconds: float, control: Server) -> Report:
    """Attack a fresh server of `kind`."""
    with server(kind) as attacked:
        ours, theirs = _processes.Pipe()
        attacker = _processes.Process(target=running.main, args=(name, attacked.attacked, seconds, theirs), daemon=True)
        attacker.start()
        ours.recv()
        probe, idle = Probe(attacked.felt, attacked.process), Probe(control.felt, control.process)
        meter = Meter(attacked.process)
        for thread in (probe, idle, meter):
            thread.start()
        ours.send("go")
        try:
            outcome = ours.recv() if ours.poll(seconds + 20) else running.Outcome()
        finally:
            attacker.kill()
            attacker.join()
            for thread in (probe, idle, meter):
                thread.stop()
        return Report(
            probe.longest, idle.longest, probe.processor, meter.growth, probe.answered, probe.failed or idle.failed,
            outcome,
        )  # fmt: skip
