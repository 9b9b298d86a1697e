"""What hostile clients answer that the server calls, and what they claim to have when they return."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile import wire
from tests.hostile.extensions import CALLS, NO_FLOW, Client, again, extension, guarded, many
from tests.hostile.registry import MESSAGES, MIB, WAITING, Outcome, attack, script
from tests.hostile.sockets import Target, WebSocket
from tests.hostile.wire import BINARY


@attack(
    "calls that are asked for and never answered", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True
)
def _unanswered(socket: WebSocket, _: int) -> bytes:
    return many(socket, 1_000, lambda n: wire.message(wire.call("test.ask")))


@attack(
    "calls that are answered wrongly, and again", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True
)
def _answered_wrongly(socket: WebSocket, number: int) -> bytes:
    lies = (
        {"result": "x" * 50_000},
        {"error": {"code": "x", "message": ["m"] * 5_000}},
        {"error": {"code": -1, "message": "m" * MIB, "data": {"a": [[]] * 5_000}}},
        {"error": 5, "result": {}},
        {},
    )

    def one(n: int) -> bytes:
        id_ = f"rpc:server:{number * 100 + n // 4}"
        if n % 4 == 0:
            return wire.message(wire.call("test.ask"))
        if n % 4 == 1:
            return extension(7, id_, ["x" * 10_000])
        return wire.message({"wslink": "1.0", "id": id_, **lies[n % len(lies)]})

    return many(socket, 400, one)


@script("returns that lie about what has begun to arrive", kinds=WAITING, alike=True)
def _begun(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome, NO_FLOW)
    lies = (
        [[n, 2**63] for n in range(1, 65)],
        [[1, 1]] * 64,
        [[2**64 - 1, 1], [2**63, 2**64 - 1]],
        [[n, 10] for n in range(1, 30)],
    )
    for number, _ in enumerate(again(over)):
        client.results(20, "test.quick")
        chunk = wire.chunk(bytes(1000), 0, 1 << 30, client.sent + 1)
        client.socket.write(client.socket.frame(BINARY, chunk))
        client.cut()
        guarded(lambda: client.back(begun=lies[number % len(lies)]))  # noqa: B023 - called at once
        if outcome.refusals:
            outcome.refusals.clear()
            client = Client(target, outcome, NO_FLOW)
