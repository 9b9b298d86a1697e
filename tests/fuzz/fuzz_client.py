"""What a server sends to a client of Python's that has said hello, called, subscribed and streams: responses,
publications, calls, items, acknowledgements. The input is as that of `fuzz_session`."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgpack

from tests.fuzz.fuzz_chunks import frames, joined
from tests.fuzz.fuzz_session import FEATURES
from tests.fuzz.fuzz_session import SEEDS as OF_CLIENTS
from tests.fuzz.sinks import nothing_raised
from wslink.client.connect import Connecting, Dialing
from wslink.errors import ConnectionClosed, WslinkError
from wslink.wire.chunks import HEADER
from wslink.wire.frames import Buffer, Frame
from wslink.wire.limits import Limits

ID = "c" + "0" * 32


def _seed(*messages: Any) -> bytes:
    return b"\x01" + joined([msgpack.packb(one) for one in messages])


SEEDS = [
    *OF_CLIENTS,
    _seed(
        *({"id": f"{kind}:{ID}:{n}", "result": {"delivery": "latest"}} for kind in ("rpc", "system") for n in range(5))
    ),
    _seed({"id": f"rpc:{ID}:1", "result": 1}, {"id": f"rpc:{ID}:2", "error": {"code": -1, "message": "m", "data": []}}),
    _seed(
        {"id": f"rpc:{ID}:1", "error": 5}, {"id": f"rpc:{ID}:1", "result": {}}, {"id": 5, "result": 1}, {"result": 1}
    ),
    _seed(
        {"id": "publish:a.b:0", "result": {"n": 1}, "subscriptions": [1]}, {"id": "publish:a.b:1", "subscriptions": 5}
    ),
    _seed({"id": "rpc:server:0", "method": "page.value", "args": [1], "kwargs": {}}, [6, "rpc:server:0"]),
    _seed(
        {"id": "rpc:server:0", "method": "page.none"},
        {"id": "rpc:server:1", "method": "page.value", "kwargs": {"a": 1}},
    ),
    _seed([3, f"rpc:{ID}:3", 0, {"n": 1}], [3, f"rpc:{ID}:3", 0, 1], [4, f"rpc:{ID}:3", 1], [7, f"rpc:{ID}:1", 0.5]),
    _seed([1, 10, 0, 1, []], [1, 2**64 - 1, 0], [5, f"rpc:{ID}:2", 10, 0], [5, f"rpc:{ID}:2", 2**64 - 1, "x"]),
]


class Peer:
    """A server's end that says what it is told to (client.ports.ClientSocket)."""

    behind = 0
    writable = True

    def __init__(self, says: Sequence[bytes], ready: asyncio.Event) -> None:
        self.resume: Callable[[], None] | None = None
        self.sent = 0
        self._says = says
        self._ready = ready
        self._over = asyncio.Event()

    async def write(self, frame: Frame) -> None:
        self.sent += frame.size

    def send(self, given: Sequence[Frame]) -> None:
        self.sent += sum(frame.size for frame in given)

    def limit_unsent(self, limit: int) -> None: ...

    async def keep_alive(self) -> None:
        await self._over.wait()

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        result = {
            "clientID": ID,
            "maxMsgSize": 65536,
            "features": FEATURES,
            "server": {"name": "wslink", "version": "1"},
        }
        result["resume"] = {"token": "t" * 32, "epoch": "e" * 16, "window": 60, "resumed": False}
        text = msgpack.packb({"id": "system:c0:0", "result": result})
        await take(True, HEADER.pack(0, 0, len(text)) + text)
        await self._ready.wait()
        for number, frame in enumerate(self._says):
            await take(True, frame)
            if number % 4 == 3:
                await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        return ConnectionClosed(1000, "")

    async def close(self) -> None:
        self._over.set()

    def abort(self) -> None:
        self._over.set()

    async def release(self) -> None:
        self._over.set()


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    with nothing_raised():
        LOOP.run_until_complete(_visit(data))


async def _items() -> AsyncIterator[int]:
    for number in range(5):
        yield number


async def _visit(data: bytes) -> None:
    says = list(frames(data[1:]))
    if data[:1] != b"\x00":
        says = [HEADER.pack(number + 1, 0, len(frame)) + frame for number, frame in enumerate(says)]
    ready = asyncio.Event()
    peer = Peer(says, ready)

    async def dial() -> Peer:
        return peer

    dialing = Dialing(dial, "a server", "s", 5, None)
    async with Connecting(dialing, Limits(max_message=1 << 20), {"page.value": lambda value=0: value}) as link:
        subscription = link.subscribe("a.b")
        calls = [
            asyncio.ensure_future(link.call("test.echo", 1)),
            asyncio.ensure_future(link.call("test.sum", _items())),
        ]
        calls += [
            asyncio.ensure_future(_take(link.stream("test.count", 3))),
            asyncio.ensure_future(_take(subscription)),
        ]
        await asyncio.sleep(0)
        before = peer.sent
        ready.set()
        done, late = await asyncio.wait(calls, timeout=10)  # of the clock: the machine may be busy
        assert not late, "the connection has ended"
        for one in done:
            assert one.exception() is None or isinstance(one.exception(), WslinkError), one.exception()
        assert peer.sent - before < 10_000 + 64 * len(data)


async def _take(items: AsyncIterator[Any]) -> None:
    async for _ in items:
        pass
