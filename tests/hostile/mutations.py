"""Messages that are nearly right: seeds of both protocol versions, and what random changes make of them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from tests.hostile import wire
from tests.hostile.sockets import Ended, Target, WebSocket
from tests.hostile.wire import BINARY, CONTINUATION, TEXT

BATCH = 50
"""Messages that are sent before the connection is asked whether it still answers."""
PER_CONNECTION = 90
"""Below `max_malformed`."""

MAX_HELLOS = 8
"""Mutated hellos of one mutator: after ten secrets that are wrong an address has to wait, and so would the rest."""
INTERESTING = (0, 1, 0x7F, 0x80, 0xC0, 0xC1, 0xC4, 0xC9, 0xD9, 0xDC, 0xDD, 0xDE, 0xDF, 0xFF)


def _seeds() -> list[tuple[int, bytes]]:
    envelopes = [
        wire.call("test.quick", 1),
        wire.call("test.echo", {"a": [1, 2.5, None, True, "text"], "b": {"c": []}}),
        wire.call("test.echo", [[[[[[1]]]]]], value=3),
        wire.call("test.missing"),
        wire.hello(),
        wire.subscribe(1, "test.topic", {"row": {"gte": 1, "lt": 9}, "kind": ["frame", "x"]}),
        wire.system("wslink.unsubscribe", {"subscription": 1}),
        {"wslink": "1.0", "method": "wslink.binary.attachment", "args": ["wslink_bin1"]},
    ]
    seeds = [(TEXT, wire.text(envelope)) for envelope in envelopes]
    seeds += [(BINARY, wire.message(envelope)) for envelope in envelopes[:-1]]
    whole = wire.message(wire.call("test.echo", bytes(range(256))))
    seeds += [(BINARY, whole), (BINARY, wire.chunk(whole[12:60], 0, len(whole) - 12, 5))]
    seeds.append((BINARY, wire.chunk(whole[60:], 48, len(whole) - 12, 5)))
    return seeds


class Mutator:
    """Makes messages. The same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = _seeds()
        self._hellos = 0

    def next(self) -> tuple[int, bytes]:
        """The opcode and payload of the next one."""
        opcode, payload = self._random.choice(self._seeds)
        while b"wslink.hello" in payload:
            self._hellos += 1
            if self._hellos <= MAX_HELLOS:
                break
            opcode, payload = self._random.choice(self._seeds)
        data = bytearray(payload)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 4, 16))):
            self._change(data)
        if self._random.random() < 0.02:
            opcode = TEXT + BINARY - opcode
        return opcode, bytes(data)

    def _change(self, data: bytearray) -> None:
        choose = self._random
        position = choose.randrange(len(data)) if data else 0
        kind = choose.randrange(6)
        if kind == 0 and data:
            data[position] ^= 1 << choose.randrange(8)
        elif kind == 1 and data:
            data[position] = choose.choice(INTERESTING)
        elif kind == 2:
            del data[position : position + choose.randrange(1, 9)]
        elif kind == 3:
            data[position:position] = choose.randbytes(choose.randrange(1, 9))
        elif kind == 4:
            _, other = choose.choice(self._seeds)
            data[position:] = other[choose.randrange(len(other)) :]
        else:
            data[position:position] = data[position : position + choose.randrange(1, 40)] * choose.randrange(1, 9)


@dataclass
class Outcome:
    """Attributes:
    sent: messages.
    connections: how many that took.
    ended: connections that the server ended.
    unanswered: connections that were neither ended nor answered a call within 10 s.
    """

    sent: int = 0
    connections: int = 0
    ended: int = 0
    unanswered: int = 0


def send_all(target: Target, mutator: Mutator, count: int) -> Outcome:
    """Send so many messages, each connection a few, and see after each batch that it answers or was ended."""
    outcome = Outcome()
    while outcome.sent < count:
        version = 1 + outcome.connections % 2
        outcome.connections += 1
        connection = WebSocket.open(target, timeout=10)
        try:
            if outcome.connections % 8:
                connection.hello(version=version, features=["subscribe", "arrays"] if version == 2 else [])
            _send_some(connection, mutator, version, min(PER_CONNECTION, count - outcome.sent), outcome)
        except Ended:
            outcome.ended += 1
        except TimeoutError:
            outcome.unanswered += 1
        finally:
            connection.close()
    return outcome


def _send_some(connection: WebSocket, mutator: Mutator, version: int, count: int, outcome: Outcome) -> None:
    for begun in range(0, count, BATCH):
        frames = []
        for _ in range(min(BATCH, count - begun)):
            opcode, payload = mutator.next()
            if (version == 2 and opcode == TEXT) or (version == 1 and opcode == BINARY):
                opcode, payload = mutator.next()
            half = len(payload) // 2
            if half and outcome.sent % 16 == 0:
                frames += [connection.frame(opcode, payload[:half], fin=False)]
                frames += [connection.frame(CONTINUATION, payload[half:])]
            else:
                frames.append(connection.frame(opcode, payload))
            outcome.sent += 1
        connection.write(b"".join(frames))
        _ask(connection, version)


def _ask(connection: WebSocket, version: int) -> None:
    """See that it answers a hello: of a secret that is right, so that it does not count as a guess."""
    envelope = {**wire.hello(), "id": f"system:c0:{time.monotonic_ns()}"}
    if version == 1:
        connection.send(TEXT, wire.text(envelope))
    else:
        connection.send(BINARY, wire.message(envelope))
    connection.answer(envelope["id"])
