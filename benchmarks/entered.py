"""Python functions that a server enters per small call, and per connection and hello: a figure that no load on the
machine moves much.

The server runs as a process of its own with `sys.setprofile`, which counts the calls of Python functions on its event
loop's thread: those of this package, of asyncio and of the method itself. The load keeps a number of calls in flight
per connection and sends one more for each response.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

CALLS = 10_000
LIMITS = {
    ("app", 1, 50): 16.0, ("compat", 1, 50): 22.0, ("app", 50, 2): 20.0, ("compat", 50, 2): 26.0,
}  # fmt: skip
"""Functions per call, at most: App or the compatibility API, connections, calls in flight on each. Reached are 10, 15,
13 and 18; the rest is room for what is to come, and for busy machines, on which fewer calls arrive together."""
HELLO_LIMITS = {"app": 235.0, "compat": 270.0}
"""The same per connection and hello. Reached are 217 and 250, of which a third are asyncio's own."""
HELLOS = 100
SERVER = Path(__file__).parent / "servers" / "entered.py"
HEADER = struct.Struct("<III")
MASK_LENGTH = 4
FIXARRAY = 0x9
"""The upper half of the first byte of an extension's message, where those of calls are maps."""
SECRET = "wslink-secret"
TIMEOUT = 60.0


class Count(NamedTuple):
    """Functions entered per call: all, and by name the most frequent."""

    total: float
    by_name: dict[str, float]


def count(
    api: str, version: int, connections: int, in_flight: int, calls: int = CALLS, python: str = sys.executable,
    features: Sequence[str] = (),
) -> Count:  # fmt: skip
    """Measure one case.

    Args:
        api: "app", "metrics" (the same, with metrics), or "compat".
        version: of the protocol.
        connections: how many.
        in_flight: calls under way on each.
        calls: in all.
        python: the interpreter of an environment that has this package.
        features: that the clients announce.
    """
    with Counted(python, api) as server:
        opened = [Connection(server.port, version, features) for _ in range(connections)]
        load(opened, in_flight, calls // 10)
        counted = server.during(lambda: load(opened, in_flight, calls), calls)
        for connection in opened:
            connection.socket.close()
    return counted


def count_hellos(api: str, version: int, hellos: int = HELLOS, python: str = sys.executable) -> Count:
    """Functions per connection and hello; see `count`."""
    with Counted(python, api) as server:
        opened = [Connection(server.port, version) for _ in range(10)]
        counted = server.during(lambda: opened.extend(Connection(server.port, version) for _ in range(hellos)), hellos)
        for connection in opened:
            connection.socket.close()
    return counted


class Counted:
    """A server that counts; use it with `with`.

    Attributes:
        port: that it listens on.
    """

    def __init__(self, python: str, api: str) -> None:
        self._server = subprocess.Popen(
            [python, str(SERVER), api], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.port = int(self._server.stdout.readline())

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *_: object) -> None:
        with self._server:
            assert self._server.stdin is not None
            self._server.stdin.close()

    def during(self, work: Callable[[], object], times: int) -> Count:
        """The functions that it enters during `work`, over the times that this does something."""
        self._answer("start")
        work()
        counts = msgspec.json.decode(self._answer("stop"), type=dict[str, int])
        by_name = {name: entered / times for name, entered in sorted(counts.items(), key=lambda item: -item[1])}
        return Count(sum(counts.values()) / times, by_name)

    def _answer(self, word: str) -> str:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(f"{word}\n")
        self._server.stdin.flush()
        return self._server.stdout.readline()


def complaints(python: str) -> Iterator[str]:
    """What enters more functions than it may, a sentence each."""
    for (api, connections, in_flight), limit in LIMITS.items():
        for version in (1, 2):
            total = count(api, version, connections, in_flight, python=python).total
            case = f"{api}, protocol version {version}, {connections} x {in_flight}"
            print(f"functions per small call, {case}: {total:.1f} of {limit:.0f}", flush=True)
            if total > limit:
                yield f"{case}: {total:.1f} functions per small call, over {limit:.0f}"
    for api, limit in HELLO_LIMITS.items():
        for version in (1, 2):
            total = count_hellos(api, version, python=python).total
            print(f"functions per hello, {api}, protocol version {version}: {total:.1f} of {limit:.0f}", flush=True)
            if total > limit:
                yield f"{api}, protocol version {version}: {total:.1f} functions per hello, over {limit:.0f}"


class Connection:
    """A client: frames out, and how many came back. With the feature `resume` or `flow` it numbers its calls and
    acknowledges what arrives, as docs/protocol/resume.md and flow.md have it.

    Args:
        port: of the server, on this machine.
        version: of the protocol.
        features: that it announces.
    """

    def __init__(self, port: int, version: int, features: Sequence[str] = ()) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._version = version
        self._data = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._data:
            self._data += self.socket.recv(65536)
        self._data = self._data.partition(b"\r\n\r\n")[2]
        self._call = self._frame("rpc:c0:1", "bench.add", [1, 2, 3])
        self._number = self._received = self._bytes = self._acknowledged = 0
        self._acknowledged_at = 0.0
        self._flows, self._resumes = "flow" in features, "resume" in features
        hello = {"secret": SECRET, "features": list(features), **({"resume": {}} if self._resumes else {})}
        self.socket.sendall(self._frame("system:c0:0", "wslink.hello", [hello]))
        while not self.received():
            pass
        self._bytes = self._received = 0

    def call(self) -> None:
        """Send one more."""
        call = self._call
        if self._flows or self._resumes:  # as much work for both: ids are arbitrary where nothing is resumed (G2-4)
            self._number += 1
            at = 2 + MASK_LENGTH
            call = call[:at] + struct.pack("<I", self._number) + call[at + 4 :]
        self.socket.sendall(call)

    def _acknowledge(self) -> None:
        """As a peer does (FLOW-3, RES-5)."""
        size, every = (65536, 0.004) if self._flows else (1 << 20, 1.0)
        now = time.monotonic()
        if self._bytes - self._acknowledged < size and now - self._acknowledged_at < every:
            return
        self._acknowledged, self._acknowledged_at = self._bytes, now
        known = [self._received, []] if self._resumes else []
        text = msgspec.msgpack.encode([1, self._bytes, 0, *known])
        self.socket.sendall(_masked(self._version, HEADER.pack(0, 0, len(text)) + text))

    def _frame(self, id_: str, method: str, args: list[object]) -> bytes:
        message = {"wslink": "1.0", "id": id_, "method": method, "args": args, "kwargs": {}}
        if self._version == 1:
            payload = msgspec.json.encode(message)
        else:
            text = msgspec.msgpack.encode(message)
            payload = HEADER.pack(int(not id_.startswith("system")), 0, len(text)) + text
        return _masked(self._version, payload)

    def received(self) -> int:
        """Wait for data; the frames that it completes."""
        data = self._data + self.socket.recv(65536)
        frames = offset = 0
        while len(data) - offset >= 4:
            length, start = data[offset + 1], offset + 2
            if length == 126:
                length, start = struct.unpack_from(">H", data, start)[0], start + 2
            if start + length > len(data):
                break
            if data[offset] & 0x8 or (self._version == 2 and data[start + HEADER.size] >> 4 == FIXARRAY):
                frames -= 1  # a ping, which needs no answer for so short a time, or an acknowledgement
            else:
                self._bytes += length
                self._received += 1
            frames, offset = frames + 1, start + length
        self._data = data[offset:]
        if self._flows or self._resumes:
            self._acknowledge()
        return frames


def _masked(version: int, payload: bytes) -> bytes:
    """A frame of a client whose mask is zero."""
    length = len(payload)
    head = (0x80 | length,) if length < 126 else (0x80 | 126, *divmod(length, 256))
    return bytes((0x80 | version, *head)) + bytes(4) + payload


def load(connections: list[Connection], in_flight: int, calls: int) -> None:
    """Make so many calls; for each response one more goes out, as long as there are any left."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        to_send = calls
        for connection in connections:
            for _ in range(min(in_flight, to_send)):
                connection.call()
                to_send -= 1
        while calls > 0:
            for key, _ in selector.select(TIMEOUT):
                arrived = key.data.received()
                calls -= arrived
                for _ in range(min(arrived, to_send)):
                    key.data.call()
                    to_send -= 1


def main() -> int:
    """Print every case with its most frequent functions."""
    for api, connections, in_flight in LIMITS:
        for version in (1, 2):
            _show(f"{api}, version {version}, {connections} x {in_flight}", count(api, version, connections, in_flight))
    for api in HELLO_LIMITS:
        for version in (1, 2):
            _show(f"{api}, version {version}, connection and hello", count_hellos(api, version), 400)
    return 0


def _show(case: str, counted: Count, most: int = 40) -> None:
    print(f"\n{case}: {counted.total:.2f}")
    for name, entered in list(counted.by_name.items())[: most if "-v" in sys.argv else 0]:
        print(f"  {entered:6.2f}  {name}")


if __name__ == "__main__":
    sys.exit(main())
