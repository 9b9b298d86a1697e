"""The line that benchmarks and tests put between a client and a server is the line that they ask for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from benchmarks.line import Line
from benchmarks.line.accuracy import measure_delay, measure_rate, through

KIB = 1024


@pytest.mark.parametrize("to_client", [True, False])
@pytest.mark.parametrize("megabits", [5, 40])
def test_it_has_the_rate_and_the_delay(megabits: int, to_client: bool) -> None:
    rate, delay = megabits * 1e6, 0.02
    with through(rate, delay, 512 * KIB) as (client, server, _):
        ends = (server, client) if to_client else (client, server)
        assert measure_delay(*ends, 10) == pytest.approx(delay, abs=0.002)
        assert measure_rate(*ends, 0.8) == pytest.approx(rate, rel=0.03)


def test_both_directions_have_their_own_rate() -> None:
    with through(10e6, 0.01, 128 * KIB) as (client, server, _):
        other = threading.Thread(target=_flood_and_drain, args=(client, server))
        other.start()
        rate = measure_rate(server, client, 0.6)
        other.join()
    assert rate == pytest.approx(10e6, rel=0.03)


def _flood_and_drain(sender: socket.socket, receiver: socket.socket) -> None:
    """Until the connection ends."""
    with contextlib.suppress(OSError):
        measure_rate(sender, receiver, 5)


def test_a_full_buffer_makes_what_follows_wait_for_all_of_it() -> None:
    rate, delay, buffer = 8e6, 0.02, 100 * KIB
    with through(rate, delay, buffer) as (client, server, _):
        started = time.monotonic()
        server.sendall(bytes(buffer))
        server.sendall(b"!")
        received = 0
        while received <= buffer:
            received += len(client.recv(65536))
        took = time.monotonic() - started
    assert took == pytest.approx(buffer * 8 / rate + delay, abs=0.005)


def test_it_holds_no_more_than_its_buffer_and_what_is_on_its_way() -> None:
    rate, delay, buffer = 20e6, 0.03, 200 * KIB
    with through(rate, delay, buffer) as (client, server, _):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * KIB)
        server.setblocking(False)
        taken, until = 0, time.monotonic() + 1
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                taken += server.send(bytes(2 * KIB))
                continue
            time.sleep(0.001)
    path = 2 * delay * rate / 8
    assert buffer < taken < buffer + path + 128 * KIB, "the kernels' buffers at both ends hold the rest"


def test_a_receiver_that_takes_nothing_holds_up_itself_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Line(port, rate=20e6, delay=0.01, buffer=64 * KIB) as line:
            ends = [(socket.create_connection(("127.0.0.1", line.port)), listener.accept()[0]) for _ in range(2)]
            (_, asleep), (client, server) = ends
            asleep.setblocking(False)
            until = time.monotonic() + 1.5
            with contextlib.suppress(BlockingIOError):
                while time.monotonic() < until:
                    asleep.send(bytes(64 * KIB))
            time.sleep(1)
            assert measure_delay(server, client, 5) < 0.05
            for pair in ends:
                for one in pair:
                    one.close()


def test_the_end_comes_after_what_was_sent() -> None:
    with through(4e6, 0.01, 256 * KIB) as (client, server, _):
        server.sendall(bytes(100 * KIB))
        server.shutdown(socket.SHUT_WR)
        received = 0
        while data := client.recv(65536):
            received += len(data)
        client.sendall(b"still open in the other direction")
        assert server.recv(100)
    assert received == 100 * KIB


def test_a_reset_reaches_the_other_end() -> None:
    with through(4e6, 0.01, 64 * KIB) as (client, server, _):
        client.settimeout(5)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.close()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_its_rate_changes_at_once_also_for_what_waits() -> None:
    with through(1e6, 0.01, 256 * KIB) as (client, server, line):
        started = time.monotonic()
        server.sendall(bytes(200 * KIB))
        line.change(rate=16e6)
        received = 0
        while received < 200 * KIB:
            received += len(client.recv(65536))
        assert time.monotonic() - started < 0.3, "at the first rate it takes 1.6 s"


def test_a_frozen_line_passes_nothing_and_loses_nothing() -> None:
    with through(10e6, 0.01, 64 * KIB) as (client, server, line):
        line.change(frozen=True)
        server.sendall(b"kept")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(4)
        client.settimeout(5)
        line.change(frozen=False)
        assert client.recv(4) == b"kept"


def test_it_counts_what_it_carried() -> None:
    with through(10e6, 0.001, 64 * KIB) as (client, server, line):
        server.sendall(bytes(1000))
        client.sendall(bytes(10))
        assert len(client.recv(1000, socket.MSG_WAITALL)) == 1000
        assert len(server.recv(10, socket.MSG_WAITALL)) == 10
        assert line.carried() == (1000, 10)
