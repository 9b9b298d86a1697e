"""Work for many clients in turns of the event loop (TURN-1)."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from wslink.hub.rounds import TURN, rounds


async def test_what_takes_long_is_spread_over_turns_and_clients_go_round() -> None:
    done: list[tuple[int, int, str]] = []
    turn = 0

    def work(client: str, number: int) -> None:
        end = time.monotonic() + TURN * 0.6
        while time.monotonic() < end:
            pass
        done.append((turn, number, client))

    for client in ("greedy", "modest"):
        for number in range(20 if client == "greedy" else 3):
            rounds().add(client, partial(work, client, number))
    assert not done, "in a later turn"
    while len(done) < 23:
        turn += 1
        await asyncio.sleep(0)
        assert turn < 100
    assert max(sum(1 for one in done if one[0] == n) for n in range(turn + 1)) <= 2
    assert [client for _, _, client in done[:6]] == ["greedy", "modest"] * 3
    assert [number for _, number, client in done if client == "greedy"] == list(range(20))


async def test_what_is_added_by_what_runs_waits_for_the_next_turn_and_an_error_ends_nothing() -> None:
    ran: list[str] = []
    loop, reported = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def again() -> None:
        ran.append("again")
        rounds().add("client", lambda: ran.append("later"))

    def broken() -> None:
        raise ValueError("broken")

    rounds().add("client", again)
    rounds().add("other", broken)
    rounds().add("third", lambda: ran.append("third"))
    await asyncio.sleep(0)
    assert ran == ["again"]
    for _ in range(3):
        await asyncio.sleep(0)
    assert sorted(ran) == ["again", "later", "third"]
    assert [str(error) for error in reported] == ["broken"]
