"""Sessions driven by hand: what is kept for a client that is away, and who takes a place over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest

from tests.session.driven import Line
from wslink.hub.backlog import Backlog
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.entries import Entry
from wslink.session.identity import Identity
from wslink.session.intake import CREDIT
from wslink.session.notices import MAX_UNREAD, Notices
from wslink.session.repeatable import LOOK_AFTER, Repeatable
from wslink.session.resumption import Resumption
from wslink.session.send_queue import OVERHEAD, SendQueue
from wslink.session.stall import Progress
from wslink.wire.chunks import HEADER
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.messages import Request
from wslink.wire.v2_msgpack import V2Encoder


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub("app", lambda credentials: Identity("ada"), Limits(max_calls=2, max_resume=50_000, resume_window=0.03))
    hub.start()

    async def wait() -> None:
        await asyncio.Event().wait()

    hub.service.methods.add(Method("a.wait", wait))
    hub.service.methods.add(Method("a.echo", lambda value=None: value))
    hub.subscriptions.topic("t.latest", "latest")
    yield hub
    await hub.stop(0.1)


def message(size: int) -> Message:
    return V2Encoder().result("rpc:c0:1", b"x" * size, 2**20)


def queued(size: int, key: Any = None) -> Entry:
    return Entry(message(size), key, ("t",))


def test_notices_go_to_whoever_reads() -> None:
    notices, line = Notices(), SimpleNamespace(writable=False, progress=Progress(0))
    assert [notices.may_go(line) for _ in range(MAX_UNREAD + 2)] == [True] * MAX_UNREAD + [False] * 2
    line.progress = Progress(1)
    assert [notices.may_go(line) for _ in range(MAX_UNREAD + 1)] == [True] * MAX_UNREAD + [False]
    line.writable = True
    assert notices.may_go(line)
    line.writable = False
    assert [notices.may_go(line) for _ in range(MAX_UNREAD + 1)] == [True] * MAX_UNREAD + [False]


def test_what_is_kept_is_looked_at_now_and_then() -> None:
    looks: list[int] = []
    backlog = Backlog(Limits, lambda: None)
    backlog.look = lambda: looks.append(kept.size)  # type: ignore[method-assign]
    kept = Repeatable(10 * LOOK_AFTER, backlog)
    size = message(900).size + OVERHEAD
    while len(looks) < 400 and kept.size < 2.5 * LOOK_AFTER:
        kept.begin(queued(900))
    assert max(looks) > 2 * LOOK_AFTER
    kept.give_up()
    assert (kept.size, kept.lost, len(kept), backlog.kept) == (0, kept.last, 0, 0)
    kept.numbered(message(900), "key")
    kept.begin(queued(900))
    assert (kept.size, len(kept)) == (2 * size, 2)
    small = Repeatable(2 * size, Backlog(Limits, lambda: None))
    for _ in range(2):
        small.begin(queued(900))
    assert (small.lost, small.size) == (0, 2 * size)
    small.begin(queued(900))
    assert (small.lost, small.size, len(small)) == (3, 0, 0)
    small.acknowledge(2)
    assert small.lost == 3
    small.acknowledge(3, [2])
    assert small.lost == 3
    small.acknowledge(3)
    assert small.lost == 0


@pytest.mark.parametrize("missing", [(), (1, 2)])
def test_what_is_ended_counts_as_what_says_so_wherever_it_is_kept(missing: tuple[int, ...]) -> None:
    backlog = Backlog(Limits, lambda: None)
    kept, sizes = Repeatable(10**7, backlog), (100_000, 200_000, 10)
    for size in sizes:
        kept.begin(queued(size))
    kept.acknowledge(2, missing)
    if not missing:
        kept = Repeatable(10**7, backlog)
        for size in sizes:
            kept.begin(queued(size))
        backlog.bytes -= message(10).size + OVERHEAD  # of the other one
    end = HEADER.size + OVERHEAD
    for number, left in ((2, message(100_000).size + OVERHEAD + end), (1, 2 * end)):
        kept.end(number)
        assert kept.size == left + message(10).size + OVERHEAD
        assert dict(kept)[number].anew
    kept.end(9)
    assert backlog.bytes + backlog.kept == kept.size
    kept.acknowledge(3)
    assert (kept.size, backlog.bytes + backlog.kept) == (0, 0)


def test_what_goes_at_once_has_its_number() -> None:
    kept = Repeatable(10**6, Backlog(Limits, lambda: None))
    for n, key in ((1, None), (2, "key")):
        frames = kept.numbered(message(10), key)
        assert [HEADER.unpack_from(frame.joined())[0] for frame in frames] == [n]
        assert (frames[0].size, frames[0].binary, frames[0].dense) == (message(10).size, True, False)
    assert [(number, one.key, one.size, one.shared) for number, one in kept] == [
        (1, None, dict(kept)[1].size, False),
        (2, "key", message(10).size + OVERHEAD, False),
    ]
    assert OVERHEAD <= dict(kept)[1].size <= message(10).size + OVERHEAD
    bytes_of = [bytes(one.message.frames[0].joined())[12:] for _, one in kept]
    assert bytes_of == [bytes(message(10).frames[0].joined())[12:]] * 2


def test_the_newest_takes_the_place_of_what_would_be_repeated() -> None:
    """RES-6."""
    kept, queue = Repeatable(10**6, Backlog(Limits, lambda: None)), SendQueue(10**6)
    for key in ("k", "l", "k", "m", None):
        kept.begin(queued(10, key))
    newest = queued(20, "k"), queued(30, "l"), queued(40, "new")
    gated = Entry(message(50), "m", ("t",), (SimpleNamespace(open=False),))
    for entry in (*newest, gated):
        queue.put(entry)
    kept.prefer_newest(queue)
    assert [(number, one.message) for number, one in kept if one.key in ("k", "l")] == [
        (1, kept_message(kept, 1)),
        (2, newest[1].message),
        (3, newest[0].message),
    ]
    assert kept_message(kept, 1).size == message(10).size
    assert (queue.newest("k"), queue.newest("l"), queue.newest("new"), queue.newest("m")) == (
        None,
        None,
        newest[2],
        gated,
    )
    assert kept_message(kept, 4).size == message(10).size
    assert len(queue) == 2


def kept_message(kept: Repeatable, number: int) -> Message:
    return dict(kept)[number].message


def test_where_a_client_lacks_messages() -> None:
    """RES-13."""
    kept = Repeatable(10**7, Backlog(Limits, lambda: None))
    for size in (10, 100_000, 100_000):
        kept.begin(queued(size))
    whole = dict(kept)[2].message.source
    assert whole is not None
    assert kept.offsets([(1, 5), (2, 50), (3, whole.total), (9, 5)]) == {2: 50}
    kept.replace(2, message(100_000), 100_000)
    assert kept.offsets([(2, 50)]) == {}
    assert kept.offsets([]) == {}


def test_a_resumption_has_tokens_of_its_own() -> None:
    one, other = (Resumption(100, 64, Backlog(Limits, lambda: None)) for _ in range(2))
    assert (len(one.epoch), len(one.token), one.previous) == (16, 32, "")
    assert (one.epoch != other.epoch, one.token != other.token) == (True, True)
    token = one.token
    one.renew()
    assert (one.previous, len(one.token), one.token != token) == (token, 32, True)


async def test_a_client_that_is_busy_is_not_read_from_where_it_returns(hub: Hub) -> None:
    line = Line(hub)
    resume = line.hello("resume")["result"]["resume"]
    for n in range(2):
        line.call("a.wait", id_=f"rpc:c0:{n}")
    line.cut()
    back = Line(hub)
    again = back.hello("resume", resume={"token": resume["token"], "received": 0})["result"]["resume"]
    assert again["resumed"] is True
    assert line.session.credit == -1
    assert back.call("a.echo", 5) is None  # two are under way
    back.cut()
    third = Line(hub)
    third.hello("resume", resume={"token": again["token"]})
    for n in range(2):
        third.call("wslink.none", id_=f"rpc:c0:x{n}")
    assert CREDIT == 16


async def test_a_session_is_kept_for_a_while(hub: Hub) -> None:
    line, full = Line(hub), Line(hub)
    resume = line.hello("resume")["result"]["resume"]
    other = full.hello("resume")["result"]["resume"]
    line.cut()
    full.cut()
    full.session.result("rpc:c0:1", "x" * 51_000)
    assert (line.session.state.name, full.session.state.name) == ("DETACHED", "CLOSED")
    back = Line(hub).hello("resume", resume={"token": other["token"]})["result"]["resume"]
    assert (back["resumed"], back["reason"]) == (False, "overflow")
    for _ in range(100):
        await asyncio.sleep(0.01)
        if line.session.state.name == "CLOSED":
            break
    late = Line(hub).hello("resume", resume={"token": resume["token"]})["result"]["resume"]
    assert (late["resumed"], late["reason"], late["window"]) == (False, "expired", 0.03)


async def test_a_client_that_takes_nothing_may_return(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    line, plain = Line(hub), Line(hub)
    line.hello("resume")
    plain.hello()
    for each in (line, plain):
        each.session.stalled("it has taken nothing")
        assert each.closes == [(1008, "it has taken nothing")]
        assert f"client {each.session.client_id} is disconnected: it has taken nothing" in caplog.messages
    assert (line.session.state.name, plain.session.state.name) == ("DETACHED", "CLOSED")


async def test_a_hello_may_be_another_ones_first_word(hub: Hub) -> None:
    renewed: list[Request] = []
    line = Line(hub, renew=renewed.append)
    assert "result" in line.hello()
    line.take()
    line.hello("subscribe")
    assert [(one.method, one.id) for one in renewed] == [("wslink.hello", "system:c0:0")]
    assert line.take() == []
    successor = Line(hub)
    successor.session.succeed(line.session, renewed[0])
    answer = successor.answer("system:c0:0")["result"]
    assert (answer["features"], answer["clientID"]) == (["subscribe"], successor.session.client_id)


async def test_a_number_that_is_too_far_ahead_is_malformed(hub: Hub) -> None:
    line = Line(hub)
    line.hello("resume")
    line.take()
    line.give({"id": "rpc:c0:1", "method": "a.echo"}, number=5000)
    [(_, answer)] = line.take()
    why = "message number 5000 leaves more than 64 missing"
    assert (answer["id"], answer["error"]) == ("system:malformed:0", {"code": -32700, "message": why})


async def test_beginnings_of_messages_go_along(hub: Hub) -> None:
    """RES-13."""
    line = Line(hub)
    resume = line.hello("resume")["result"]["resume"]
    text = msgpack.packb({"id": "rpc:c0:1", "method": "a.echo", "args": ["x" * 100]})
    line.session.receive(True, HEADER.pack(1, 0, len(text)) + text[:50])
    line.cut()
    back = Line(hub)
    told = back.hello("resume", resume={"token": resume["token"]})["result"]["resume"]
    assert told["begun"] == [[1, 50]]
    line.session.receive(True, HEADER.pack(1, 50, len(text)) + text[50:])
    assert back.answer("rpc:c0:1") == {"result": "x" * 100}
