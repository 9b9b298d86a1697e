"""Attacks by name, and which kinds of server each concerns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.sockets import Target, WebSocket

MIB = 1024 * 1024
HELLO_BYTES = 64 * 1024
"""What a connection may cost before hello."""
ARRIVING_BYTES = 256 * 1024
"""What it may cost while a frame arrives."""
PROCESS_BYTES = 32 * MIB
"""What all of an attack may cost."""
OUTBOX = 16 * MIB
"""`max_outbox`: what waits for a client from which calls are taken."""

Payload = Callable[[WebSocket, int], bytes]
"""The bytes to send next on a connection, and how many times that was asked before."""


@dataclass
class Outcome:
    """What an attacker saw.

    Attributes:
        connections: how many it made.
        ended: how many of these the other side ended.
        sent: bytes.
        refusals: what its close frames said, each once.
    """

    connections: int = 0
    ended: int = 0
    sent: int = 0
    refusals: list[str] = field(default_factory=list)


Script = Callable[[Target, Callable[[], bool], Outcome], None]
"""Attacks a target until it is over, and counts what it does."""


@dataclass(frozen=True)
class Attack:
    """Attributes:
    payload: see Payload.
    connections: how many at a time.
    secret: whether the attacker has a secret, and has said hello; None where `payload` says it.
    features: what it announces in hello.
    reads: whether it reads what is sent to it.
    deflates: whether it offers permessage-deflate.
    version: of the protocol in which it says hello.
    once: whether each connection sends `payload` once, and then waits.
    growth: the bytes by which the process may grow.
    kinds: the kinds of server that it concerns.
    script: what it does in place of sending `payload`; see Script.
    alike: whether what it attacks is the same under every kind of server, so that a short run tries one.
    long: whether a short run leaves it out.
    """

    payload: Payload
    connections: int = 1
    secret: bool = False
    features: tuple[str, ...] = ("subscribe",)
    reads: bool = False
    deflates: bool = False
    version: int = 2
    once: bool = False
    growth: int = PROCESS_BYTES
    kinds: tuple[str, ...] = ()
    script: Script | None = None
    alike: bool = False
    long: bool = False


FRAMES = ("picows", "aiohttp", "reverse", "relay")
"""The kinds of server whose WebSocket frames are ours to read: under an ASGI server or Tornado they are theirs."""
MESSAGES = ("picows", "aiohttp", "asgi", "tornado", "reverse")
"""Those that read messages: a relay passes them on."""
WAITING = ("picows", "aiohttp", "asgi", "tornado")
"""Those that serve many clients at a time."""

ATTACKS: dict[str, Attack] = {}


def attack(name: str, **options: Any) -> Callable[[Payload], Payload]:
    """Register an attack, on MESSAGES unless it names kinds. A reverse connection has one peer at a time."""

    def register(payload: Payload) -> Payload:
        kinds = options.pop("kinds", MESSAGES)
        if options.get("connections", 1) > 1:
            kinds = tuple(kind for kind in kinds if kind != "reverse")
        ATTACKS[name] = Attack(payload, kinds=kinds, **options)
        return payload

    return register


def script(name: str, **options: Any) -> Callable[[Script], Script]:
    """Register an attack that is a script."""

    def register(function: Script) -> Script:
        attack(name, script=function, **options)(lambda socket, number: b"")
        return function

    return register
