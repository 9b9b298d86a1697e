"""Whoever guesses secrets waits, and is logged (hub.authentication), by a clock of the test's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import pytest

from wslink.hub import authentication as throttling
from wslink.hub.authentication import FORGET_AFTER, FREE_REFUSALS, LONGEST_WAIT, SPACING, Authentication
from wslink.session.identity import Credentials, Identity, Opening


def credentials(address: str = "192.0.2.1", secret: Any = "x", has: bool = True) -> Credentials:
    return Credentials(secret, has, "c1", {}, Opening(address=address))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(round(seconds, 6))

    monkeypatch.setattr(throttling.asyncio, "sleep", sleep)
    return found


SOMEBODY = Identity("somebody")


async def admitted(authentication: Authentication, given: Credentials) -> Any:
    verdict = authentication.admit(given)
    return await verdict if isinstance(verdict, Awaitable) else verdict


def said(caplog: pytest.LogCaptureFixture) -> list[Any]:
    found = [(one.levelname, one.getMessage(), one.client, one.address) for one in caplog.records]  # type: ignore[attr-defined]
    caplog.clear()
    return found


async def test_each_refusal_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    authentication = Authentication(lambda given: None, clock)
    assert authentication.admit(credentials()) is None
    wrong = "was refused: its secret is wrong (1 of this address lately)"
    assert said(caplog) == [("WARNING", f"client c1 from 192.0.2.1 {wrong}", "c1", "192.0.2.1")]
    assert authentication.admit(credentials("")) is None
    assert said(caplog) == [("WARNING", f"client c1 from nowhere {wrong}", "c1", "")]
    for address, shown in (("192.0.2.1", "192.0.2.1"), ("", "nowhere")):
        assert authentication.admit(credentials(address, None, False)) is None
        text = f"client c1 from {shown} was refused: it showed no secret"
        assert said(caplog) == [("WARNING", text, "c1", address)]
    authentication.authenticate = lambda given: SOMEBODY
    assert authentication.admit(credentials()) is SOMEBODY
    assert said(caplog) == []


async def test_a_verdict_that_comes_later_is_noted(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> Identity | None:
        return verdict

    authentication = Authentication(lambda given: later(), clock)
    for verdict in (SOMEBODY, None):
        assert await admitted(authentication, credentials()) is verdict
    assert len(said(caplog)) == 1


async def guess(authentication: Authentication, times: int, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        assert await admitted(authentication, credentials(address)) is None


async def test_after_so_many_the_hellos_of_an_address_are_looked_at_one_after_another(
    clock: Clock, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def authenticate(given: Credentials) -> Identity | None:
        asked.append(given.address)
        return None

    authentication = Authentication(authenticate, clock)
    await guess(authentication, FREE_REFUSALS)
    assert slept == []
    await guess(authentication, 3)
    assert slept == [round(SPACING * n, 6) for n in (1, 2, 3)]
    assert "(13 of this address lately)" in caplog.text
    await guess(authentication, 1, "192.0.2.2")
    assert len(slept) == 3  # another address
    caplog.clear()
    await guess(authentication, 18)
    longest = slept[-1]
    assert LONGEST_WAIT - 1.5 * SPACING < longest <= LONGEST_WAIT
    count = len(asked)
    await guess(authentication, 1)
    why = "client c1 from 192.0.2.1 was refused without a look: too many secrets of this address are wrong"
    assert said(caplog)[-1] == ("WARNING", why, "c1", "192.0.2.1")
    assert len(asked) == count
    clock.now += 1
    await guess(authentication, 1)
    assert slept[-1] == pytest.approx(longest - 1 + SPACING)
    clock.now += 100
    await guess(authentication, 1)
    assert len(asked) == count + 2  # nothing to wait for
    authentication.authenticate = lambda given: SOMEBODY
    assert await admitted(authentication, credentials()) is SOMEBODY
    clock.now += FORGET_AFTER + 1
    before = len(slept)
    authentication.authenticate = authenticate
    caplog.clear()
    await guess(authentication, 1)
    assert (len(slept), "(1 of this address lately)" in caplog.text) == (before, True)


async def test_clients_of_this_machine_wait_the_longest_at_most(clock: Clock, slept: list[float]) -> None:
    authentication = Authentication(lambda given: None, clock)
    await guess(authentication, FREE_REFUSALS + 25, "127.0.0.1")
    assert (max(slept), len(slept)) == (LONGEST_WAIT, 25)

    async def later() -> Identity:
        return SOMEBODY

    authentication.authenticate = lambda given: later()
    assert await admitted(authentication, credentials("127.0.0.1")) is SOMEBODY


async def test_so_many_wait_at_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MAX_WAITING", 2)
    authentication = Authentication(lambda given: None, clock)
    await guess(authentication, FREE_REFUSALS)
    authentication.authenticate = lambda given: SOMEBODY
    clock.now += 0.05
    verdicts = await asyncio.gather(*(admitted(authentication, credentials()) for _ in range(3)))
    assert verdicts == [SOMEBODY, SOMEBODY, None]
    assert await asyncio.gather(*(admitted(authentication, credentials()) for _ in range(2))) == [SOMEBODY] * 2
    assert await admitted(authentication, credentials()) is SOMEBODY


async def test_so_many_addresses_are_remembered(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(throttling, "MAX_ADDRESSES", 2)
    authentication = Authentication(lambda given: None, clock)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        await guess(authentication, 1, address)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for address in ("192.0.2.1", "192.0.2.2"):
            await guess(authentication, 1, address)
    assert ["(3 of" in one.getMessage() for one in caplog.records] == [True, False]
