"""/metrics of a server, read by Prometheus's own parser."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import wslink
from tests.conftest import Serve
from wslink import App, MethodError, UsageError


def app() -> App:
    app = App(secret="secret")
    frames = app.topic("view.frame", delivery="latest")

    @app.method("demo.add")
    def add(a: int, b: int) -> int:
        return a + b

    @app.method("demo.late")
    async def late() -> str:
        await asyncio.sleep(0.05)
        return "late"

    @app.method("demo.block", run="thread")
    def block() -> None:
        time.sleep(0.02)

    @app.method("demo.fail")
    def fail() -> None:
        raise MethodError("no", code=-5)

    @app.method("demo.show")
    def show() -> int:
        return frames.publish(b"x" * 1000)

    return app


async def scrape(url: str, headers: dict[str, str] | None = None) -> dict[str, float]:
    """Each sample by its name and labels."""
    address = url.replace("ws://", "http://").removesuffix("/ws") + "/metrics"
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as response:
        if response.status != 200:
            return {}
        text = await response.text()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "le")
            if "le" not in sample.labels:
                found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_calls_are_counted_and_timed_by_method_and_status(serve: Serve) -> None:
    url = await serve(app(), metrics=True)
    async with wslink.connect(url, secret="secret") as link:
        for number in range(3):
            await link.call("demo.add", number, 1)
        await asyncio.gather(link.call("demo.late"), link.call("demo.block"))
        for wrong in (link.call("demo.fail"), link.call("demo.add", "a", 1), link.call("demo.nothing_like_it")):
            with pytest.raises(wslink.CallError):
                await wrong
        task = asyncio.ensure_future(link.call("demo.late"))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.05)
        found = await scrape(url)
    count, total = "wslink_call_duration_seconds_count{%s}", "wslink_call_duration_seconds_sum{%s}"
    assert found[count % "method=demo.add,status=OK"] == 3
    assert found[count % "method=demo.fail,status=-5"] == 1
    assert found[count % "method=demo.late,status=-32800"] == 1
    assert found[count % "method=_OTHER,status=-32601"] == 1
    assert 0.05 <= found[total % "method=demo.late,status=OK"] < 5
    assert 0.02 <= found[total % "method=demo.block,status=OK"] < 5
    assert found["wslink_call_queueing_seconds_count{method=demo.add}"] == 3
    assert 0 < found["wslink_call_queueing_seconds_sum{method=demo.block}"] < 5
    assert not any("nothing_like_it" in name for name in found), "what a client makes up is a label"


async def test_publications_and_clients_are_counted(serve: Serve) -> None:
    url = await serve(app(), metrics=True)
    async with wslink.connect(url, secret="secret") as one, wslink.connect(url, secret="secret") as two:
        frames = [link.subscribe("view.frame") for link in (one, two)]
        for subscription in frames:
            await subscription.ready
        assert await one.call("demo.show") == 2
        for subscription in frames:
            await anext(subscription)
        next_ones = [asyncio.ensure_future(anext(one)) for one in frames]  # whoever asks for the next has dealt with it
        await asyncio.sleep(0.2)
        found = await scrape(url)
        for task in next_ones:
            task.cancel()
    assert found["wslink_clients{}"] == 2
    assert found["wslink_deliveries_total{topic=view.frame}"] == 2
    assert found["wslink_published_bytes_total{topic=view.frame}"] > 2000
    assert found["wslink_publication_size_bytes_count{topic=view.frame}"] >= 1
    assert found["wslink_publication_age_seconds_count{topic=view.frame}"] == 2
    assert found["wslink_round_trip_seconds_count{}"] == 2
    assert found["wslink_connected_total{}"] == 2
    for name in ("waiting_bytes{}", "dropped_total{}", "resumed_total{}", "detached_total{}"):
        assert found[f"wslink_{name}"] == 0


async def test_programs_of_this_machine_and_the_secret_may_read_them(serve: Serve) -> None:
    url = await serve(app(), metrics=True)
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert await scrape(url)
    assert await scrape(url, forwarded) == {}, "a proxy speaks for whoever asks it"
    assert await scrape(url, {"Host": "evil.example"}) == {}, "a name that was made to resolve to this machine"
    assert await scrape(url, {"Origin": "http://127.0.0.1:1"}) == {}
    assert await scrape(url, {**forwarded, "Authorization": "Bearer secret"})
    assert await scrape(url, {"Authorization": "Bearer wrong"}) == {}


async def test_whoever_guesses_the_secret_has_to_wait_wherever_it_opens_something(serve: Serve) -> None:
    url = await serve(app(), metrics=True, inspector=True)
    guess, overview = (
        {"Authorization": "Bearer guessed"},
        url.replace("ws", "http", 1).replace("/ws", "/wslink/inspect/overview"),
    )
    async with aiohttp.ClientSession() as session:
        for _ in range(5):
            assert await scrape(url, guess) == {}
            assert (await session.get(overview, headers=guess)).status == 401
        began = time.monotonic()
        for _ in range(4):
            assert await scrape(url, guess) == {}
    assert time.monotonic() - began > 0.25
    assert await scrape(url), "who brings no secret guesses nothing"
    assert await scrape(url, {"Authorization": "Bearer secret"})


async def test_there_are_none_unless_they_are_asked_for(serve: Serve) -> None:
    assert await scrape(await serve(app())) == {}


async def test_an_application_that_is_served_again_counts_once(serve: Serve, servers: list[wslink.Server]) -> None:
    application = app()
    await serve(application, metrics=True)
    await servers.pop().stop()
    url = await serve(application, metrics=True)
    async with wslink.connect(url, secret="secret") as link:
        await link.call("demo.add", 1, 1)
        found = await scrape(url)
    assert found["wslink_call_duration_seconds_count{method=demo.add,status=OK}"] == 1


async def test_a_method_that_is_replaced_goes_on_counting(serve: Serve) -> None:
    application = app()
    url = await serve(application, metrics=True)
    async with wslink.connect(url, secret="secret") as link:
        await link.call("demo.add", 1, 1)
        application._hub.service.methods.intercept(lambda name, function: function)  # composes all of them anew
        assert await link.call("demo.add", 1, 1) == 2
        found = await scrape(url)
    assert found["wslink_call_duration_seconds_count{method=demo.add,status=OK}"] == 2
    assert found["wslink_call_queueing_seconds_count{method=demo.add}"] == 2


async def test_a_missing_package_is_named(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match=r"pip install 'wslink\[metrics\]'"):
        await serve(app(), metrics=True)


async def test_the_dashboard_asks_for_metrics_that_exist(serve: Serve) -> None:
    dashboard = json.loads((Path(__file__).parents[2] / "deploy/grafana/wslink.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    url = await serve(app(), metrics=True)
    async with (
        aiohttp.ClientSession() as session,
        session.get(url.replace("ws:", "http:")[:-2] + "metrics") as response,
    ):
        served = set(re.findall(r"# TYPE (\S+) (\S+)", await response.text()))
    names = {name for name, kind in served if kind != "histogram"}
    names |= {f"{name}{end}" for name, kind in served if kind == "histogram" for end in ("_bucket", "_count", "_sum")}
    for expression in asked:
        used = re.findall(r"\bwslink_\w+", expression)
        assert used
        assert set(used) <= names, expression


async def test_codes_that_an_application_makes_up_are_labels_within_bounds(serve: Serve) -> None:
    from wslink.observe.durations import MAX_SERIES

    application = app()

    @application.method("demo.refuse")
    def refuse(code: int) -> None:
        raise MethodError("no", code=code)

    url = await serve(application, metrics=True)
    async with wslink.connect(url, secret="secret") as link:
        codes = [*range(MAX_SERIES + 50), 2**70]
        await asyncio.gather(*(link.call("demo.refuse", code) for code in codes), return_exceptions=True)
        found = await scrape(url)
    statuses = [name for name in found if name.startswith("wslink_call_duration_seconds_count{method=demo.refuse")]
    assert len(statuses) <= MAX_SERIES + 1
    assert found["wslink_call_duration_seconds_count{method=demo.refuse,status=_OTHER}"] >= 50
    assert not any(str(2**70) in name for name in statuses)


async def test_topics_that_an_application_makes_up_are_labels_within_bounds(serve: Serve) -> None:
    from wslink.observe.metrics import MAX_TOPICS

    application = app()
    url = await serve(application, metrics=True)
    async with wslink.connect(url, secret="secret") as link:
        frames, _all = link.subscribe("view.frame"), link.subscribe("user.*")
        await link.call("demo.show")
        for number in range(MAX_TOPICS + 50):
            application.topic(f"user.n{number}").publish(number)
        await link.call("demo.show")
        await anext(frames)
        found = await scrape(url)
    for name in ("publications_total", "deliveries_total", "published_bytes_total", "publication_size_bytes_count"):
        assert len([one for one in found if one.startswith(f"wslink_{name}{{")]) == MAX_TOPICS + 1
    assert found["wslink_publications_total{topic=view.frame}"] == 2
    assert found["wslink_publications_total{topic=_OTHER}"] == 51
