"""What one client takes of what all share: threads, calls under way, connections (LIM-10, LIM-11, TURN-3, TURN-4)."""

from __future__ import annotations

import time

import pytest

from tests.hostile import wire
from tests.hostile.arena import server
from tests.hostile.registry import WAITING
from tests.hostile.sockets import Ended, WebSocket

SERVERS = ("picows", "aiohttp", "asgi")
"""Those whose methods may run in threads."""


def busy(target, method: str, count: int, *args: object) -> WebSocket:  # type: ignore[no-untyped-def]
    """A client with that many calls under way."""
    socket = WebSocket.open(target)
    socket.hello()
    socket.write(b"".join(socket.frame(wire.BINARY, wire.message(wire.call(method, *args))) for _ in range(count)))
    return socket


def patiently(target, method: str, *args: object) -> float:  # type: ignore[no-untyped-def]
    """The seconds that a new client's call takes."""
    socket = WebSocket.open(target, timeout=3)
    socket.hello()
    start = time.monotonic()
    socket.call(method, *args)
    waited = time.monotonic() - start
    socket.close()
    return waited


@pytest.mark.parametrize("kind", SERVERS)
def test_a_quick_call_in_a_thread_is_not_behind_300_slow_ones_of_another_client(kind: str) -> None:
    with server(kind) as one:
        slow = busy(one.felt, "test.slow", 300, 1)
        time.sleep(0.3)
        assert patiently(one.felt, "test.slow", 0.01) < 1.2
        assert patiently(one.felt, "test.slow", 0.01) < 1.2
        slow.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_quick_call_in_a_thread_is_not_behind_slow_ones_of_several_clients(kind: str) -> None:
    with server(kind) as one:
        slow = [busy(one.felt, "test.slow", 50, 1) for _ in range(4)]
        time.sleep(0.3)
        assert patiently(one.felt, "test.slow", 0.01) < 1.2
        for socket in slow:
            socket.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_calls_in_threads_of_a_client_that_has_gone_are_not_begun(kind: str) -> None:
    with server(kind) as one:
        for _ in range(5):
            busy(one.felt, "test.slow", 300, 1).close()
        time.sleep(0.3)
        assert patiently(one.felt, "test.slow", 0.01) < 1.2


@pytest.mark.parametrize("kind", WAITING)
def test_clients_with_many_calls_under_way_do_not_keep_others_from_calling(kind: str) -> None:
    with server(kind) as one:
        sockets = [busy(one.felt, "test.later", 1_100, 60) for _ in range(20)]
        time.sleep(0.3)
        assert patiently(one.felt, "test.later", 0.01) < 1
        for socket in sockets:
            socket.close()


def test_however_many_clients_there_are_calls_under_way_have_a_bound() -> None:
    with server("picows", limits={"max_server_calls": 100, "max_calls": 100}) as one:
        counting = busy(one.felt, "test.count", 0)
        sockets = [busy(one.felt, "test.later", 100, 60) for _ in range(40)]
        time.sleep(0.3)
        assert 100 <= counting.call("test.count") <= 125 + 40
        for socket in (counting, *sockets):
            socket.close()


@pytest.mark.parametrize("kind", WAITING)
def test_calls_of_clients_that_have_gone_are_cancelled(kind: str) -> None:
    with server(kind, limits={"max_server_calls": 64, "max_calls": 64}) as one:
        for _ in range(4):
            busy(one.felt, "test.later", 64, 60).close()
        time.sleep(0.3)
        assert patiently(one.felt, "test.later", 0.01) < 1


@pytest.mark.parametrize("kind", SERVERS)
def test_connections_without_hello_do_not_keep_others_out(kind: str) -> None:
    with server(kind, limits={"max_clients": 20}) as one:
        silent = []
        for _ in range(60):
            try:
                silent.append(WebSocket.open(one.felt))
            except (Ended, OSError):
                break
        assert patiently(one.felt, "test.quick") < 1
        for socket in silent:
            socket.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_clients_at_the_bound_are_not_put_out_for_new_ones(kind: str) -> None:
    with server(kind, limits={"max_clients": 3}) as one:
        clients = [WebSocket.open(one.felt) for _ in range(3)]
        for client in clients:
            client.hello()
        with pytest.raises((Ended, OSError)):
            WebSocket.open(one.felt).hello()
        for client in clients:
            assert client.call("test.quick", 7) == 7
            client.close()
