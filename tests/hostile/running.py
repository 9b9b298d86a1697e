"""Runs one attack: its connections, made again when the other side ends them."""

from __future__ import annotations

import select
import time
from typing import Any

from tests.hostile import attacks, callbacks, extensions, flow, topics  # noqa: F401 - they register themselves
from tests.hostile.registry import ATTACKS, Attack, Outcome
from tests.hostile.sockets import Ended, Target, WebSocket, close_since, listen, mark


class _Attacker:
    """One connection of an attack. It is made again when the other side ends it."""

    def __init__(self, attack: Attack, target: Target, outcome: Outcome) -> None:
        self._attack = attack
        self._target = target
        self._outcome = outcome
        self._socket: WebSocket | None = None
        self._pending = memoryview(b"")
        self._asked = 0
        self._retry = 0.0

    def step(self) -> None:
        """Send and receive what goes without waiting."""
        try:
            if self._socket is None:
                self._open()
            elif self._attack.reads:
                self._read(self._socket)
            if self._socket is not None:
                self._write(self._socket)
        except (Ended, OSError) as error:
            self._outcome.ended += self._socket is not None
            self._drop(str(error))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _open(self) -> None:
        if time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + 0.02
        offered = "permessage-deflate" if self._attack.deflates else ""
        socket = WebSocket.open(self._target, 2, offered)
        if self._attack.secret:
            socket.hello(version=self._attack.version, features=list(self._attack.features))
        self._outcome.connections += 1
        socket.sock.setblocking(False)
        self._socket, self._pending, self._asked = socket, memoryview(b""), 0

    def _drop(self, reason: str) -> None:
        if reason and reason not in self._outcome.refusals and len(self._outcome.refusals) < 8:
            self._outcome.refusals.append(reason)
        self.close()
        self._socket, self._retry = None, time.monotonic() + 0.02

    def _read(self, socket: WebSocket) -> None:
        try:
            for _ in range(16):
                if not socket.sock.recv(1 << 18):
                    raise Ended("")
        except BlockingIOError:
            pass

    def _write(self, socket: WebSocket) -> None:
        if not self._pending:
            if self._attack.once and self._asked:
                self._watch(socket)
                return
            self._pending = memoryview(self._attack.payload(socket, self._asked))
            self._asked += 1
        try:
            while self._pending:
                size = socket.sock.send(self._pending[: 1 << 18])
                self._outcome.sent += size
                self._pending = self._pending[size:]
        except BlockingIOError:
            self._watch(socket)

    def _watch(self, socket: WebSocket) -> None:
        """See whether the other side has ended a connection that is not read."""
        readable, _, _ = select.select([socket.sock], [], [], 0)
        if readable and self._attack.once and not socket.sock.recv(1 << 16):
            raise Ended("")


def run(name: str, target: Target, seconds: float) -> Outcome:
    """Attack for so long."""
    attack, outcome = ATTACKS[name], Outcome()
    if attack.script is not None:
        end = time.monotonic() + seconds
        marked = mark()
        try:
            attack.script(target, lambda: time.monotonic() >= end, outcome)
        except (Ended, TimeoutError, OSError) as error:  # it was cut off, or not answered in time
            outcome.ended += 1
            outcome.refusals.append(repr(error))
        close_since(marked)
        return outcome
    attackers = [_Attacker(attack, _place(target, number), outcome) for number in range(attack.connections)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in attackers:
            one.step()
            if time.monotonic() >= end:
                break
        time.sleep(0.0005)
    for one in attackers:
        one.close()
    return outcome


def _place(target: Target, number: int) -> Target:
    """Where the connection of that number goes: at a relay, no two to one path."""
    return target._replace(path=f"/proxy/{number + 2}") if target.kind == "relay" else target


def main(name: str, target: Target, seconds: float, answers: Any) -> None:
    """Attack, in a process of its own; the outcome goes to the pipe `answers`."""
    if target.dialed:
        listen(target.port)
    answers.send("ready")
    answers.recv()
    answers.send(run(name, target, seconds))
