"""Connections that never say anything, or never end what they say: closed within 15 s."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.hostile.arena import Server, server
from tests.hostile.known import NOT_YET
from tests.hostile.sockets import Target, WebSocket, closed_within, connect, handshake

WITHIN = 15.0


def _silent(target: Target) -> socket.socket:
    return connect(target.port)


def _unending_head(target: Target) -> socket.socket:
    sock = connect(target.port)
    sock.sendall(handshake(target)[:-2])
    return sock


def _no_hello(target: Target) -> socket.socket:
    return WebSocket.open(target).sock


def _part_of_a_frame(target: Target) -> socket.socket:
    opened = WebSocket.open(target)
    opened.write(opened.frame(2, bytes(1000))[:-1])
    return opened.sock


SILENT: dict[str, tuple[Callable[[Target], socket.socket], tuple[str, ...]]] = {
    "a connection that says nothing": (_silent, ("picows", "aiohttp", "relay")),
    "a head that does not end": (_unending_head, ("picows", "aiohttp", "relay")),
    "no hello": (_no_hello, ("picows", "aiohttp", "asgi", "tornado")),
    "a frame that does not end": (_part_of_a_frame, ("picows", "aiohttp", "asgi", "tornado")),
}


@pytest.fixture(scope="module")
def waits() -> dict[tuple[str, str], float | None]:
    """The seconds after which each was closed; None where it was not. All wait at the same time."""
    found: dict[tuple[str, str], float | None] = {}
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for kind in ("picows", "aiohttp", "asgi", "tornado", "relay"):
            servers[kind] = stack.enter_context(server(kind))
        start = time.monotonic()
        opened = {
            (name, kind): make(servers[kind].attacked)
            for name, (make, kinds) in SILENT.items() for kind in kinds
        }  # fmt: skip
        for case, sock in opened.items():
            found[case] = closed_within(sock, max(0.05, WITHIN - (time.monotonic() - start)))
            sock.close()
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            name, kind,
            marks=[pytest.mark.xfail(reason="not held yet")] if kind in NOT_YET.get(name, ()) else [],
        )
        for name, (_, kinds) in SILENT.items() for kind in kinds
    ],
)  # fmt: skip
def test_it_is_closed(waits: dict[tuple[str, str], float | None], name: str, kind: str) -> None:
    assert waits[name, kind] is not None
