"""The process behind a line: sockets, and the clock that decides when their bytes pass."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

PIECE = 4096
"""Bytes that are read of a connection at a time, so that connections take turns; two ticks' worth where that is more.
The proxy's own socket buffers are as large."""
TICK = 0.001
"""Seconds between deliveries of one piece's parts."""


@dataclass(eq=False)
class Flow:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    inside: int = 0
    due: deque[memoryview] = field(default_factory=deque)
    ended: bool = False
    """The source has ended; the sink is told in its turn."""
    closing: bool = False
    """All has arrived that there was."""


@dataclass(eq=False)
class Piece:
    """Bytes that leave the queue between two times, evenly; none of them for the end of a flow."""

    flow: Flow
    data: memoryview
    start: float
    end: float

    def left_by(self, moment: float) -> int:
        """How many of the bytes have left by then."""
        if moment >= self.end or not self.data:
            return len(self.data)
        return max(0, int(len(self.data) * (moment - self.start) / (self.end - self.start)))


class Direction:
    """A queue that leaves at a rate, and a pipe with a delay."""

    def __init__(self, rate: float, delay: float, buffer: int) -> None:
        self.rate, self.delay, self.buffer = rate / 8, delay, buffer
        self.frozen = False
        self.carried = 0
        self._pieces: deque[Piece] = deque()
        self._free = 0.0

    def room(self, now: float) -> int:
        """Bytes that the queue takes now."""
        return self.buffer - int(max(0.0, self._free - now) * self.rate)

    def takes(self, flow: Flow, now: float) -> bool:
        """Whether to read: there is room, and a receiver that takes nothing holds up its own connection alone."""
        bound = self.buffer + 2 * self.delay * self.rate
        return not (flow.ended or self.frozen) and flow.inside < bound and self.room(now) >= self._enough()

    def piece(self) -> int:
        return max(PIECE, int(2 * TICK * self.rate))

    def _enough(self) -> int:
        """Room for which reading goes on."""
        return min(self.piece(), self.buffer)

    def put(self, flow: Flow, data: bytes, now: float) -> None:
        start = max(now, self._free)
        self._free = start + len(data) / self.rate
        flow.inside += len(data)
        self._pieces.append(Piece(flow, memoryview(data), start, self._free))

    def deliver(self, now: float) -> None:
        """Move what has arrived to `due` of its flow."""
        while self._pieces and not self.frozen:
            piece = self._pieces[0]
            count = piece.left_by(now - self.delay)
            self.carried += count
            if count:
                piece.flow.due.append(piece.data[:count])
            if count < len(piece.data) or now - self.delay < piece.end:
                self._keep_rest(piece, count, now - self.delay)
                return
            self._pieces.popleft()
            piece.flow.closing |= not piece.data

    def _keep_rest(self, piece: Piece, count: int, moment: float) -> None:
        if count:
            piece.data, piece.start = piece.data[count:], min(moment, piece.end)

    def next_event(self, now: float) -> float | None:
        """When to look again: parts of a piece are delivered every TICK, its last byte on time."""
        if not self._pieces or self.frozen:
            return None
        piece = self._pieces[0]
        first = piece.start + (piece.end - piece.start) / max(1, len(piece.data))
        arrives = min(piece.end + self.delay, max(first + self.delay, now + TICK))
        missing = self._enough() - self.room(now)
        return min(arrives, now + missing / self.rate) if missing > 0 else arrives

    def set_rate(self, rate: float, now: float) -> None:
        """From now on what is still queued leaves at another rate."""
        pieces, self._pieces, self.rate = self._pieces, deque(), rate / 8
        self._free = now
        for piece in pieces:
            if piece.end <= now:
                self._pieces.append(piece)
                continue
            gone = piece.left_by(now)
            if gone:
                self._pieces.append(Piece(piece.flow, piece.data[:gone], piece.start, now))
            piece.flow.inside -= len(piece.data) - gone
            self.put(piece.flow, bytes(piece.data[gone:]), now)

    def thaw(self, seconds: float) -> None:
        """Go on after a pause of so many seconds."""
        self._free += seconds
        for piece in self._pieces:
            piece.start, piece.end = piece.start + seconds, piece.end + seconds


class Proxy:
    """All connections of a line, in one loop over `select`, whose timeouts are finer than those of epoll."""

    def __init__(self, target: int, down: Direction, up: Direction) -> None:
        self._target, self._down, self._up = target, down, up
        self._flows: dict[Flow, Direction] = {}
        self._frozen_at = 0.0
        self._turn = 0
        self.listener = socket.socket()
        _shrink(self.listener, down.piece())
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)

    def run(self) -> None:
        while True:
            now = time.monotonic()
            reading = {flow.source: flow for flow, way in self._flows.items() if way.takes(flow, now)}
            writing = [flow.sink for flow in self._flows if flow.due]
            inputs = deque([self.listener, sys.stdin, *reading])
            inputs.rotate(self._turn)
            self._turn += 1
            readable, _, _ = select.select(inputs, writing, [], self._timeout(now))
            for one in readable:
                if one is self.listener:
                    self._accept()
                elif one is sys.stdin:
                    self._command()
                else:
                    self._read(reading[one])
            for way in (self._down, self._up):
                way.deliver(time.monotonic())
            for flow in [*self._flows]:
                if flow.due or flow.closing:
                    self._write(flow)

    def _timeout(self, now: float) -> float | None:
        events = [event for way in (self._down, self._up) if (event := way.next_event(now)) is not None]
        return max(0.0, min(events) - now) if events else None

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        server = socket.socket()
        _shrink(server, self._down.piece())
        try:
            server.connect(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flows[Flow(server, client)] = self._down
        self._flows[Flow(client, server)] = self._up

    def _read(self, flow: Flow) -> None:
        if flow not in self._flows:
            return
        way, now = self._flows[flow], time.monotonic()
        if not way.takes(flow, now):
            return
        try:
            data = flow.source.recv(min(way.piece(), way.room(now)))
        except BlockingIOError:
            return
        except OSError:
            self._drop(flow)
            return
        flow.ended = not data
        way.put(flow, data, now)

    def _write(self, flow: Flow) -> None:
        try:
            while flow.due:
                sent = flow.sink.send(flow.due[0])
                flow.inside -= sent
                if sent < len(flow.due[0]):
                    flow.due[0] = flow.due[0][sent:]
                    return
                flow.due.popleft()
            if flow.closing:
                flow.sink.shutdown(socket.SHUT_WR)
                del self._flows[flow]
                if all(flow.source is not other.sink for other in self._flows):
                    flow.source.close()
                    flow.sink.close()
        except BlockingIOError:
            return
        except OSError:
            self._drop(flow)

    def _drop(self, flow: Flow) -> None:
        """End both directions of a connection at once, as a reset does."""
        for other in [*self._flows]:
            if other.source in (flow.source, flow.sink):
                del self._flows[other]
        flow.source.close()
        flow.sink.close()

    def _command(self) -> None:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        self._change(json.loads(line), time.monotonic())
        print(json.dumps({"carried": [self._down.carried, self._up.carried]}), flush=True)

    def _change(self, values: dict[str, Any], now: float) -> None:
        frozen = values.get("frozen")
        for way in (self._down, self._up):
            if "rate" in values:
                way.set_rate(values["rate"], now)
            way.delay = values.get("delay", way.delay)
            way.buffer = values.get("buffer", way.buffer)
            if frozen is False and way.frozen:
                way.thaw(now - self._frozen_at)
            way.frozen = way.frozen if frozen is None else frozen
        self._frozen_at = now if frozen else self._frozen_at


def _shrink(one: socket.socket, size: int) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def run(target: int, rate: float, delay: float, buffer: int) -> None:
    """Serve until stdin ends; a line of JSON on it changes the line, and each is answered with what was carried."""
    with contextlib.suppress(OSError):
        os.nice(-10)
    proxy = Proxy(target, Direction(rate, delay, buffer), Direction(rate, delay, buffer))
    print(json.dumps({"port": proxy.listener.getsockname()[1]}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        proxy.run()
