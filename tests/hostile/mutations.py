"""Messages that are nearly right: seeds of both protocol versions, and what random changes make of them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from tests.hostile import wire
from tests.hostile.sockets import Ended, Target, WebSocket
from tests.hostile.wire import BINARY, CONTINUATION, TEXT

BATCH = 50
"""Messages that are sent before the connection is asked whether it still answers."""
PER_CONNECTION = 90
"""Below `max_malformed`."""
PATIENCE = 20.0
"""Seconds without an answer after which a connection counts as forgotten. A server that owes nothing ends one after
`hello_timeout`, and one that takes nothing after `stall_timeout`: this is more than both."""
BROKEN_TEXTS = 0.001
"""The share of texts that may be no UTF-8, which ends their connection."""
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
        self.seed = seed
        self._random = random.Random(seed)
        self._seeds = _seeds()
        self._hellos = 0

    def next(self, begins: int | None = None) -> tuple[int, bytes]:
        """The opcode and payload of the next one; of that opcode if it begins a connection."""
        while True:
            opcode, payload = self._mutated()
            if b"wslink.hello" in payload:
                self._hellos += 1
                if self._hellos > MAX_HELLOS:
                    continue
            if begins in (None, opcode):
                return opcode, payload

    def _mutated(self) -> tuple[int, bytes]:
        opcode, payload = self._random.choice(self._seeds)
        data = bytearray(payload)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 4, 16))):
            self._change(data)
        if self._random.random() < 0.02:
            opcode = TEXT + BINARY - opcode
        if opcode == TEXT and self._random.random() >= BROKEN_TEXTS:
            data = bytearray(data.decode(errors="replace").encode())
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
class Forgotten:
    """A connection that was neither ended nor answered within PATIENCE.

    Attributes:
        seed: of the mutator.
        version: of the protocol.
        greeted: whether it began with a good hello.
        sent: all its other frames, the last question included.
    """

    seed: int
    version: int
    greeted: bool
    sent: list[bytes]

    def __str__(self) -> str:
        frames = "\n".join(frame.hex() for frame in self.sent)
        hello = "after" if self.greeted else "without"
        return f"forgotten, of seed {self.seed}, in version {self.version}, {hello} a good hello; its frames:\n{frames}"


@dataclass
class Outcome:
    """Attributes:
    sent: messages.
    connections: how many that took.
    ended: connections that the server ended.
    answered: questions that were answered.
    forgotten: connections that were neither ended nor answered.
    """

    sent: int = 0
    connections: int = 0
    ended: int = 0
    answered: int = 0
    forgotten: list[Forgotten] = field(default_factory=list)


def send_all(target: Target, mutator: Mutator, count: int, outcome: Outcome) -> None:
    """Send so many messages, each connection a few, and see after each batch that it answers or was ended.

    Raises:
        OSError: no connection can be opened.
    """
    end = outcome.sent + count
    while outcome.sent < end:
        version = 1 + outcome.connections % 2
        outcome.connections += 1
        one = Forgotten(mutator.seed, version, greeted=outcome.connections % 8 != 0, sent=[])
        connection: WebSocket | None = None
        try:
            connection = WebSocket.open(target, timeout=PATIENCE)
            if one.greeted:
                connection.hello(version=version, features=["subscribe", "arrays"] if version == 2 else [])
            _send_some(connection, mutator, min(PER_CONNECTION, end - outcome.sent), one, outcome)
        except Ended:
            outcome.ended += 1
        except TimeoutError:
            outcome.forgotten.append(one)
        finally:
            if connection is not None:
                connection.close()


def _send_some(connection: WebSocket, mutator: Mutator, count: int, one: Forgotten, outcome: Outcome) -> None:
    own = TEXT if one.version == 1 else BINARY
    for begun in range(0, count, BATCH):
        batch = []
        for number in range(begun, min(begun + BATCH, count)):
            # Without a hello, the first frame chooses the version, in which the question has to be.
            opcode, payload = mutator.next(own if number == 0 and not one.greeted else None)
            if number and opcode != own:
                opcode, payload = mutator.next()
            half = len(payload) // 2
            if half and outcome.sent % 16 == 0:
                batch.append(connection.frame(opcode, payload[:half], fin=False))
                batch.append(connection.frame(CONTINUATION, payload[half:]))
            else:
                batch.append(connection.frame(opcode, payload))
            outcome.sent += 1
        id_, question = _question(connection, own)
        one.sent += [*batch, question]
        connection.write(b"".join((*batch, question)))
        connection.answer(id_)
        outcome.answered += 1


def _question(connection: WebSocket, opcode: int) -> tuple[str, bytes]:
    """The id and the frame of a hello that has to be answered: of a secret that is right, so that it does not count as
    a guess. Its message has an id of its own: the rest of one that was refused is skipped."""
    number = time.monotonic_ns()
    envelope = {**wire.hello(), "id": f"system:c0:{number}"}
    if opcode == TEXT:
        return envelope["id"], connection.frame(TEXT, wire.text(envelope))
    return envelope["id"], connection.frame(BINARY, wire.message(envelope, number & 0xFFFFFFFF))
