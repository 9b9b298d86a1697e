"""All that a session takes along to another process (RES-12): packed, unpacked, and packed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink.errors import INTERRUPTED
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.identity import Identity, Opening
from wslink.session.moving import Packed, unpack
from wslink.session.nowhere import Nowhere
from wslink.session.session import Session
from wslink.session.tokens import digest
from wslink.wire.limits import Limits

FEATURES = ("subscribe", "flow", "resume", "arrays", "cancel")
ADA = Identity("ada", {"role": "pilot"})
BIG = 200_000


def worker() -> Hub:
    hub = Hub("app", lambda credentials: ADA, Limits())
    hub.start()
    hub.subscriptions.topic("t.latest", "latest")
    hub.subscriptions.topic("t.reliable")

    async def wait() -> None:
        await asyncio.Event().wait()

    hub.service.methods.add(Method("a.wait", wait))
    hub.service.methods.add(Method("a.echo", lambda value: value))
    return hub


@pytest.fixture
async def workers() -> AsyncIterator[tuple[Hub, Hub]]:
    hubs = worker(), worker()
    yield hubs
    for hub in hubs:
        await hub.stop(0.1)


def busy(hub: Hub) -> Line:
    """A client of whom something of every kind waits and is kept."""
    line = Line(hub)
    answer = line.hello(*FEATURES)["result"]
    assert set(answer["features"]) == set(FEATURES)
    for number, topic, more in ((1, "t.latest", {"window": 2}), (2, "t.reliable", {"filter": {"row": 1}})):
        line.system("wslink.subscribe", {"subscription": number, "topic": topic, **more})
    topics = hub.subscriptions.topics
    topics["t.latest"].publish("sent", {"row": 1}, key="k0")
    topics["t.reliable"].publish("sent", {"row": 1})
    line.writable = False
    topics["t.latest"].publish("old", {"row": 1}, key="k1")
    topics["t.latest"].publish("new", {"row": 2}, key="k1")
    topics["t.latest"].publish(b"x" * BIG, {"row": 3}, key=("k", 2))
    topics["t.reliable"].publish({"large": b"y" * BIG}, {"row": 1})
    topics["t.reliable"].publish("small", {"row": 1})
    topics["t.reliable"].publish("other", {"row": 2})  # not this client's
    line.call("a.echo", "result", id_="rpc:c0:echo")
    return line


def move(line: Line, to: Hub) -> tuple[Session, Packed]:
    """Let a session go on at another hub, as cluster.moves does."""
    first: Any = line.session
    hub: Hub = first._owner
    requests = hub.subscriptions.requests(first)
    given = first.pack_up()
    assert given is not None
    hub.community.release(hub.community.clients[first.client_id])
    first.vacate()
    packed = unpack(given)
    session = Session(to, Nowhere(), Opening(), client_id=first.client_id, hello_timeout=False)
    session.move_in(packed, ADA)
    announce = to.subscriptions.restore(session, requests)
    session.unload(packed)
    announce()
    return session, packed


async def test_what_a_session_takes_along(workers: tuple[Hub, Hub]) -> None:
    line = busy(workers[0])
    token = line.answer("system:c0:0")["result"]["resume"]
    session, packed = move(line, workers[1])
    assert line.closes == [(4003, "the session has moved")]
    assert (packed.features, packed.epoch, packed.digests) == (
        line.session.features,
        token["epoch"],
        frozenset([digest(token["token"])]),
    )
    assert (packed.received, packed.last, packed.interrupted) == ((3, frozenset()), 4, [])
    assert packed.windows == {1: [1, 0, 2, 1, *packed.windows[1][4:]], 2: [0, 0, 4, 0]}
    assert len(packed.windows[1]) == 5
    kept = [(number, key, gates, shared) for number, _, key, gates, shared in packed.kept]
    assert kept[:2] == [(1, None, [], False), (2, None, [], False)]
    assert [one[0] for one in kept] == [1, 2, 3, 4]
    assert [(one[1], one[2]) for one in kept[2:]] == [(["t.latest", "k0"], [1]), (None, [])]
    told = [
        (lane, dense, bool(frame), len(data) > BIG, key, names, gates, about)
        for lane, (dense, frame, data), key, names, gates, about in packed.waiting
    ]
    assert told == [
        (1, False, False, False, ["t.latest", "k1"], ["t.latest"], [1], ([1], {"row": 2})),
        (1, True, True, True, ["t.latest", ["k", 2]], ["t.latest"], [1], ([1], {"row": 3})),
        (2, True, True, True, None, ["t.reliable"], None, None),
        (2, False, False, False, None, ["t.reliable"], None, None),
        (1, False, False, False, None, ["rpc:c0:echo"], None, None),
    ]
    assert (session.encoder.version, session.features, session.state.name) == (2, packed.features, "DETACHED")
    again = session.pack_up()
    assert again is not None
    assert unpack(again) == packed


async def test_a_client_finds_all_of_it_where_it_returns(workers: tuple[Hub, Hub]) -> None:
    line = busy(workers[0])
    resume = line.answer("system:c0:0")["result"]["resume"]
    session, _packed = move(line, workers[1])
    back = Line(workers[1])
    answer = back.hello(*FEATURES, resume={"token": resume["token"], "received": 2})["result"]
    assert (answer["clientID"], answer["resume"]["resumed"], answer["resume"]["epoch"]) == (
        session.client_id,
        True,
        resume["epoch"],
    )
    assert (answer["resume"]["received"], answer["resume"]["missing"]) == (3, [])
    assert back.carried is session
    for n in range(60):
        await asyncio.sleep(0)
        if n == 1:
            back.give([2, 1, 2, 0], number=0)
        back.give([1, back.counted, 0, max(back.numbers), [], False], number=0)
    found = [(number, one.get("result")) for number, one in back.take() if isinstance(one, dict)]
    assert [number for number, _ in found[1:]] == list(range(3, 3 + len(found) - 1))
    results = [result if not isinstance(result, dict) else "large" for _, result in found[1:]]
    assert results[:2] == ["sent", "sent"]
    assert sorted(map(str, results[2:])) == sorted(["new", "large", "small", "result", str(b"x" * BIG)])
    assert results.index("large") < results.index("small")
    assert workers[1].community.clients[session.client_id].user == "ada"


async def test_calls_under_way_do_not_go_along(workers: tuple[Hub, Hub]) -> None:
    line = Line(workers[0])
    line.hello("resume")
    assert not line.session.busy
    line.call("a.wait", id_="rpc:c0:slow")
    assert line.session.busy
    session, packed = move(line, workers[1])
    assert packed.interrupted == ["rpc:c0:slow"]
    [(_lane, (_, _, _data), key, names, gates, about)] = unpack(session.pack_up() or b"").waiting
    assert (names, key, gates, about) == (["rpc:c0:slow"], None, None, None)
    back = Line(workers[1])
    token = line.answer("system:c0:0")["result"]["resume"]["token"]
    assert back.hello("resume", resume={"token": token})["result"]["resume"]["resumed"] is True
    why = "the call was under way when its session moved to another worker"
    assert back.answer("rpc:c0:slow") == {"error": {"code": INTERRUPTED, "message": why}}


async def test_numbers_that_are_missing_go_along(workers: tuple[Hub, Hub]) -> None:
    line = Line(workers[0])
    line.hello("resume")
    for number in (1, 4):
        line.give({"id": f"rpc:c0:{number}", "method": "a.echo", "args": [number]}, number)
    for n in range(3):
        line.call("a.echo", n)
    line.give([1, 0, 0, 5, [2, 4]], number=0)
    session, packed = move(line, workers[1])
    assert packed.received == (7, frozenset((2, 3)))
    assert [one[0] for one in packed.kept] == [2, 4]
    assert unpack(session.pack_up() or b"") == packed


async def test_a_subscription_that_is_not_allowed_where_it_goes_is_lost(
    workers: tuple[Hub, Hub], caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(workers[0])
    line.hello(*FEATURES)
    workers[0].subscriptions.topic("t.only")
    for number, topic in ((1, "t.only"), (2, "t.reliable")):
        line.system("wslink.subscribe", {"subscription": number, "topic": topic})
    session, _packed = move(line, workers[1])
    why = "there is no topic 't.only'; topics: t.latest, t.reliable"
    assert caplog.messages[-1] == f"client {session.client_id} loses a subscription: {why}"
    assert [one["subscription"] for one in workers[1].subscriptions.requests(session)] == [2]


async def test_what_cannot_move_says_so(workers: tuple[Hub, Hub]) -> None:
    plain = Line(workers[0])
    plain.hello("subscribe")
    assert (plain.session.pack_up(), plain.session.digests, plain.closes) == (None, [], [])
    lost = Line(workers[0])
    lost.hello("resume")
    lost.session.resumption.lost = 3  # type: ignore[union-attr]
    assert lost.session.pack_up() is None
    keyed = Line(workers[0])
    keyed.hello(*FEATURES)
    keyed.system("wslink.subscribe", {"subscription": 1, "topic": "t.latest"})
    keyed.writable = False
    workers[0].subscriptions.topics["t.latest"].publish("x", key=frozenset([object()]))
    assert keyed.session.pack_up() is None
    for line in (lost, keyed):
        line.session.vacate()
    assert [len(hub.tokens) for hub in workers] == [0, 0]
