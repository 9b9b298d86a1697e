"""Two real ends of a session in virtual time, over lines that are cut after any byte: a model of resumption (RES).

`WSLINK_LONG=5000 pytest tests/session/test_resume_model.py --timeout 0` tries so many histories, others each time.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.session.virtual.clock import VirtualLoop
from tests.session.virtual.wire import NO_END, Wire
from wslink import App, Limits, Link, Reconnect
from wslink.client.backoff import Backoff
from wslink.client.connect import Connecting
from wslink.client.connections import Dialing
from wslink.errors import ConnectionClosed
from wslink.hub.hub import Hub
from wslink.server import inside

EXAMPLES = int(os.environ.get("WSLINK_LONG", "25"))
MAX_RESUME = 256 * 1024
WINDOW = 60.0
HEARTBEAT = 30.0
"""That of a server that was not told another."""
SLACK = 30.0
"""Seconds after which a client has noticed that its line is dead, and is back where it can be (RES-11)."""
PER_MESSAGE = 2048
"""What keeping a message may count beside its bytes."""
SIZES = st.sampled_from((0, 10, 1_000, 20_000, 70_000, 70_000))
ROOM = st.tuples(*[st.sampled_from((0, 1, 100, 500, 2_000, 30_000, 90_000))] * 2)


class Resuming(RuleBasedStateMachine):
    """A client that calls and is called, a server that publishes, and the lines between them."""

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("wslink").setLevel(logging.CRITICAL)
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.wires: list[Wire] = []
        self.next_room: tuple[float, float] = NO_END
        self.refusing = False
        self.published = [0, 0]  # reliable, latest
        self.arrived: tuple[list[int], list[int]] = ([], [])
        self.executed: list[int] = []
        self.calls: list[asyncio.Task[Any]] = []
        self.served: list[int] = []
        self.asked: list[asyncio.Task[Any]] = []
        self.wrong: list[str] = []
        self.verdicts: list[tuple[bool, str | None]] = []
        self.away_since: dict[str, float] = {}  # by client id
        self.outstanding = 0  # no more than these bytes may be kept for either end
        self.run(self.begin())

    def run(self, what: Any) -> Any:
        return self.loop.run_until_complete(what)

    async def begin(self) -> None:
        self.app = app = App(
            secret="model",
            limits=Limits(max_resume=MAX_RESUME, resume_window=WINDOW, stall_timeout=10**6, hello_timeout=10**6),
        )
        self.topic, self.frames = app.topic("model.reliable"), app.topic("model.latest", delivery="latest")
        app.method("model.execute")(self.execute)
        app.on_detach(self.detached)
        app.on_resume(self.resumed)
        self.hub = hub_of(app)
        backoff = Backoff(Reconnect(initial=0.05, max=0.2))
        dialing = Dialing(self.dial, "the model", "model", 5.0, backoff)
        limits = Limits(max_resume=10**9)
        self.link: Link = await Connecting(dialing, limits, {"model.serve": self.serve})
        self.link.on_reconnected(self.judge)
        self.client = app.clients[self.link.client_id]
        self.listening = [
            asyncio.create_task(self.listen(self.link.subscribe(name, buffer=10_000), arrived))
            for name, arrived in zip(("model.reliable", "model.latest"), self.arrived, strict=True)
        ]
        await asyncio.sleep(1)

    async def dial(self) -> Any:
        if self.refusing:
            raise ConnectionClosed(1006, "refused")
        self.wires.append(Wire(self.hub, self.next_room))
        self.next_room = NO_END
        return self.wires[-1].client

    async def listen(self, subscription: Any, arrived: list[int]) -> None:
        async for number, data in subscription:
            arrived.append(number)
            if data != filled(number, len(data)):
                self.wrong.append(f"publication {number} is broken")

    def execute(self, number: int, data: bytes) -> list[Any]:
        self.executed.append(number)
        return [number, data]

    def serve(self, number: int, data: bytes) -> list[Any]:
        self.served.append(number)
        return [number, data]

    def detached(self, client: str) -> None:
        self.away_since[client] = self.loop.time()

    def resumed(self, client: str) -> None:
        if self.away(client) > WINDOW + 1:
            self.wrong.append(f"resumed after {self.away(client)} s")
        self.away_since.pop(client, None)

    def judge(self, verdict: Any) -> None:
        """Whether a return that was not resumed could not be (RES-1)."""
        self.verdicts.append((verdict.resumed, verdict.reason))
        away = self.away(self.client.id)  # that of the session to which it wanted to return
        right = {None: verdict.resumed, "expired": away >= WINDOW, "overflow": self.outstanding > MAX_RESUME}
        if not right.get(verdict.reason):
            self.wrong.append(f"{verdict} after {away} s, with at most {self.outstanding} bytes kept")
        if not verdict.resumed:
            self.client = self.app.clients[self.link.client_id]

    def away(self, client: str) -> float:
        """Seconds since the server has learned of the end of a connection."""
        return self.loop.time() - self.away_since.get(client, self.loop.time())

    # What is said

    def count(self, size: int) -> None:
        self.outstanding += 2 * (size + PER_MESSAGE)

    @rule(size=SIZES)
    def call(self, size: int) -> None:
        number = len(self.calls)
        self.count(size)

        async def make() -> None:
            assert await self.link.call("model.execute", number, filled(number, size)) == [number, filled(number, size)]

        self.calls.append(self.loop.create_task(make()))

    @rule(size=SIZES)
    def ask(self, size: int) -> None:
        number = len(self.asked)
        self.count(size)

        async def make() -> None:
            assert await self.client.call("model.serve", number, filled(number, size)) == [number, filled(number, size)]

        self.asked.append(self.loop.create_task(make()))

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=6), latest=st.booleans())
    def publish(self, sizes: list[int], latest: bool) -> None:
        async def make() -> None:
            for size in sizes:
                number = self.published[latest]
                self.published[latest] += 1
                self.count(size)
                (self.frames if latest else self.topic).publish([number, filled(number, size)])

        self.run(make())

    # What happens to the line

    @rule(client=st.booleans(), server=st.booleans())
    def cut(self, client: bool, server: bool) -> None:
        async def make() -> None:
            self.wires[-1].cut(client, server)

        self.run(make())

    @rule(room=ROOM)
    def cut_after(self, room: tuple[float, float]) -> None:
        self.wires[-1].room = list(room)

    @rule(
        room=ROOM,
        calls=st.lists(SIZES, max_size=3),
        asked=st.lists(SIZES, max_size=3),
        sizes=st.lists(SIZES, max_size=3),
    )
    def cut_amid(self, room: tuple[float, float], calls: list[int], asked: list[int], sizes: list[int]) -> None:
        self.cut_after(room)
        for size in calls:
            self.call(size)
        for size in asked:
            self.ask(size)
        self.publish(sizes, False)
        self.wait(0.01)

    @rule(room=ROOM)
    def cut_the_next_after(self, room: tuple[float, float]) -> None:
        self.next_room = room

    @rule(refusing=st.booleans())
    def refuse(self, refusing: bool) -> None:
        self.refusing = refusing

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.06, 1.0, 30.0, 50.0, 70.0)))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(sizes=st.lists(st.sampled_from((1_000, 70_000)), max_size=6), seconds=st.sampled_from((0.0, 1.0, 55.0, 65.0)))
    def be_away(self, sizes: list[int], seconds: float) -> None:
        """Meanwhile something is published."""
        self.cut(True, True)
        self.refuse(True)
        self.publish(sizes, False)
        self.wait(seconds)
        self.refuse(False)

    @rule()
    def settle(self) -> None:
        """Nothing is cut, until all that was kept has arrived."""
        self.refusing = False
        self.next_room = NO_END
        self.wires[-1].room = list(NO_END)
        self.run(asyncio.sleep(SLACK + 2 * HEARTBEAT))
        assert self.link.state == "open"
        assert all(task.done() for task in (*self.calls, *self.asked))
        self.outstanding = 0

    def teardown(self) -> None:
        try:
            self.settle()
            self.check()
        finally:
            self.run(self.end())
            self.loop.close()
            asyncio.set_event_loop(None)

    async def end(self) -> None:
        await self.link.close()
        for task in (*self.listening, *self.calls, *self.asked):
            task.cancel()
        await asyncio.gather(*self.listening, *self.calls, *self.asked, return_exceptions=True)

    def check(self) -> None:
        assert self.wrong == []
        reliable, latest = self.arrived
        assert len(set(self.executed)) == len(self.executed)
        assert len(set(self.served)) == len(self.served)
        assert reliable == sorted(set(reliable))
        assert latest == sorted(set(latest))
        failed = [task for task in (*self.calls, *self.asked) if task.exception() is not None]
        if all(resumed for resumed, _ in self.verdicts):
            assert failed == []
            assert sorted(self.executed) == list(range(len(self.calls)))
            assert sorted(self.served) == list(range(len(self.asked)))
            assert reliable == list(range(self.published[0]))
            assert latest[-1:] == ([self.published[1] - 1] if self.published[1] else [])
        else:
            assert all(isinstance(task.exception(), (ConnectionClosed, ConnectionError)) for task in failed)


def filled(number: int, size: int) -> bytes:
    return bytes([number % 251]) * size


def hub_of(app: App) -> Hub:
    """What serves its clients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "connect_inside", lambda hub, *rest: hub)
        hub: Any = app.connect()
    assert isinstance(hub, Hub)
    return hub


test_nothing_is_lost_doubled_or_out_of_order_within_the_bounds = Resuming.TestCase
test_nothing_is_lost_doubled_or_out_of_order_within_the_bounds.settings = settings(
    max_examples=EXAMPLES,
    derandomize="WSLINK_LONG" not in os.environ,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    ("seconds", "sizes", "reason"),
    [
        (WINDOW - 1, [1_000], None),
        (WINDOW + 1, [1_000], "expired"),
        (1.0, [70_000] * 3, None),
        (1.0, [70_000] * 4, "overflow"),
    ],
)
def test_the_verdict_at_either_side_of_a_bound(seconds: float, sizes: list[int], reason: str | None) -> None:
    """RES-4, RES-6."""
    model = Resuming()
    model.be_away(sizes, seconds)
    model.settle()
    assert model.verdicts == [(reason is None, reason)]
    model.teardown()
