"""Floods of sign-ins: the provider is asked no more than the launcher can afford, and others sign in beside them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
from yarl import URL

from tests.launcher.test_openid import signing_in
from wslink.http.tries import FREE_TRIES
from wslink.launcher.provider import MOST_ASKED


async def begun(browser: aiohttp.ClientSession, place: str) -> str:
    """The state of a sign-in that this browser has begun."""
    async with browser.get(place, allow_redirects=False) as response:
        return URL(response.headers["Location"]).query["state"]


async def statuses(browser: aiohttp.ClientSession, url: str, asked: dict[str, str], count: int) -> Counter[int]:
    async def one() -> int:
        async with browser.get(url, params=asked, allow_redirects=False) as response:
            return response.status

    return Counter(await asyncio.gather(*(one() for _ in range(count))))


async def test_whoever_makes_sign_ins_fail_has_to_wait(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as (provider, running, browser):
        place = f"{running.url}/paraview/login"
        asked = {"state": await begun(browser, place), "code": "guessed"}
        for _ in range(FREE_TRIES):
            assert await statuses(browser, f"{place}/callback", asked, 1) == {403: 1}
        assert await statuses(browser, f"{place}/callback", asked, 5) == {429: 5}
        assert provider.asked["token"] == FREE_TRIES


async def test_callbacks_that_come_at_once_ask_a_bounded_number_of_times(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as (provider, running, browser):
        place = f"{running.url}/paraview/login"
        asked = {"state": await begun(browser, place), "code": "guessed"}
        provider.delay = 0.3
        found = await statuses(browser, f"{place}/callback", asked, 80)
        assert provider.asked["token"] <= MOST_ASKED
        assert found[503] + found[429] >= 80 - MOST_ASKED, found


async def test_a_slow_provider_is_asked_once_for_all_who_come_meanwhile(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as (provider, running, browser):
        provider.delay = 0.3
        assert await statuses(browser, f"{running.url}/paraview/login", {}, 50) == {302: 50}
        assert provider.asked["metadata"] == 1
