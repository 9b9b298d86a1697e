"""What a server keeps for the return of all its clients (RES-4, LIM-18, `max_server_resume`)."""

from __future__ import annotations

from tests.conftest import Serve
from tests.session.returning import Clients, Returning, gone
from wslink import App, Limits

MIB = 1024 * 1024


async def keep(client: Returning, count: int) -> None:
    """Connect, and receive so many MiB without an acknowledgement."""
    await client.connect()
    ids = [await client.start("test.big") for _ in range(count)]
    await client.until(lambda: all(id_ in client.results for id_ in ids), 20)


async def returns(app: App, client: Returning) -> str:
    """Return as a client that has received nothing; why that was not possible, "" if it was."""
    client.results.clear()
    client.last = 0
    await client.cut()
    resume = (await client.connect())["resume"]
    return "" if resume["resumed"] else str(resume["reason"])


async def test_where_much_is_kept_for_all_each_session_has_its_share(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_server_resume=7 * MIB))
    app.method("test.big")(lambda: bytes(MIB))
    url = await serve(app)
    first, second, third, alone = [clients(url) for _ in range(4)]
    await keep(first, 5)
    await keep(second, 4)
    await keep(third, 1)
    assert [await returns(app, client) for client in (first, second, third)] == ["", "overflow", ""]
    await second.call("test.big")  # it goes on
    for client in (first, second, third):
        await client.leave()
    await gone(app)
    await keep(alone, 5)
    assert await returns(app, alone) == ""
    await alone.until(lambda: len(alone.results) == 5)


async def test_so_it_is_for_clients_that_are_away(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_server_resume=6 * MIB))
    topic = app.topic("test.topic")
    url = await serve(app)
    away = [clients(url) for _ in range(4)]
    for client in away:
        await client.connect()
        await client.subscribe(1, "test.topic")
        await client.cut()
    await gone(app)
    for number in range(3):
        for client in away[:3]:
            topic.publish(bytes([number]) * MIB, to=client.client_id)
    topic.publish("now", to=away[3].client_id)
    verdicts = [(await client.connect())["resume"].get("reason", "") for client in away]
    assert "overflow" in verdicts[:3]
    assert "" in verdicts[:3]
    assert verdicts[3] == ""


async def test_a_share_is_for_each_of_those_for_which_something_waits(serve: Serve, clients: Clients) -> None:
    """(24 - 4 * 1) MiB for two of them, and each has received everything before it was cut off."""
    app = App(secret="secret", limits=Limits(max_server_resume=24 * MIB))
    topic = app.topic("test.topic")
    url = await serve(app)
    away = [clients(url) for _ in range(2)]
    for client in away:
        await client.connect()
        await client.subscribe(1, "test.topic")
        await client.acknowledge()
        await client.cut()
    await gone(app)
    for client, count in zip(away, (14, 11), strict=True):
        for number in range(count):
            topic.publish(bytes([number]) * MIB, to=client.client_id)
    assert [(await client.connect())["resume"].get("reason", "") for client in away] == ["", "overflow"]


async def test_a_share_is_for_each_of_those_that_keep_much_now(serve: Serve, clients: Clients) -> None:
    """(24 - 4 * 1) MiB for two of them, whoever kept as much before."""
    app = App(secret="secret", limits=Limits(max_server_resume=24 * MIB))
    app.method("test.big")(lambda: bytes(MIB))
    url = await serve(app)
    left, acknowledging, little, first, second = [clients(url) for _ in range(5)]
    for client in (left, acknowledging):
        await keep(client, 3)
    await left.leave()
    await acknowledging.acknowledge()
    await keep(little, 0)
    await keep(first, 14)
    await keep(second, 10)
    assert await returns(app, second) == ""
    await second.call("test.big")
    assert [await returns(app, client) for client in (second, first)] == ["overflow", ""]


async def receive(app: App, client: Returning, count: int) -> None:
    """Connect, and receive so many small publications without an acknowledgement. Each counts 1,024 bytes."""
    await client.connect()
    await client.subscribe(1, "test.topic")
    for number in range(count):
        app.topic("test.topic").publish(number, to=client.client_id)
    await client.until(lambda: len(client.publications) == count, 20)


async def test_small_messages_count_as_well(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_server_resume=5 * MIB))
    app.topic("test.topic")
    url = await serve(app)
    left, first, second = [clients(url) for _ in range(3)]
    await receive(app, left, 3000)
    await left.leave()
    await gone(app)
    for client in (first, second):
        await receive(app, client, 3000)
    assert [await returns(app, client) for client in (first, second)] == ["", "overflow"]


async def test_some_is_kept_for_a_client_in_any_case(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_server_resume=0))
    app.topic("test.topic")
    url = await serve(app)
    first, second = clients(url), clients(url)
    await receive(app, first, 1900)
    await receive(app, second, 2100)
    assert [await returns(app, client) for client in (first, second)] == ["", "overflow"]


async def test_a_client_that_leaves_has_its_share_of_that_moment(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_server_resume=12 * MIB))
    app.method("test.big")(lambda: bytes(MIB))
    url = await serve(app)
    first, *others = [clients(url) for _ in range(5)]
    await keep(first, 11)
    for client in others:
        await keep(client, 1)
    assert [await returns(app, client) for client in (first, *others)] == ["overflow", "", "", "", ""]
