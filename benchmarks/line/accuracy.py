"""How exact a line is: its rate, its delay, and what it holds."""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator

from benchmarks.line import Line

SECONDS = 2.0
PINGS = 20


@contextlib.contextmanager
def through(rate: float, delay: float, buffer: int) -> Iterator[tuple[socket.socket, socket.socket, Line]]:
    """A connection through a line: the client's end, the server's end, and the line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            Line(port, rate=rate, delay=delay, buffer=buffer) as line,
            socket.create_connection(("127.0.0.1", line.port)) as client,
            listener.accept()[0] as server,
        ):
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client, server, line


def measure_rate(sender: socket.socket, receiver: socket.socket, seconds: float = SECONDS) -> float:
    """Bits per second of a stream that never lacks data, between its first byte and the last that is counted."""
    thread = threading.Thread(target=_flood, args=(sender,), daemon=True)
    thread.start()
    receiver.recv(65536)
    start, count = time.monotonic(), 0
    while (now := time.monotonic()) < start + seconds:
        count += len(receiver.recv(65536))
    with contextlib.suppress(OSError):
        sender.shutdown(socket.SHUT_RDWR)
    thread.join()
    return count * 8 / (now - start)


def _flood(sender: socket.socket) -> None:
    block = bytes(65536)
    with contextlib.suppress(OSError):
        while True:
            sender.sendall(block)


def measure_delay(sender: socket.socket, receiver: socket.socket, count: int = PINGS) -> float:
    """Seconds that one byte takes on an idle line: the median."""
    times = []
    for _ in range(count):
        start = time.monotonic()
        sender.sendall(b"x")
        receiver.recv(1)
        times.append(time.monotonic() - start)
    return statistics.median(times)


def main(rate: float, delay: float, buffer: int) -> None:
    for name, turned in (("to the client", True), ("to the server", False)):
        with through(rate, delay, buffer) as (client, server, _):
            ends = (server, client) if turned else (client, server)
            lag = measure_delay(*ends)
            found = measure_rate(*ends)
        print(
            f"{name}: rate {found / 1e6:.3f} Mbit/s ({found / rate - 1:+.2%}), "
            f"delay {lag * 1e3:.2f} ms ({(lag - delay) * 1e3:+.2f} ms)"
        )
