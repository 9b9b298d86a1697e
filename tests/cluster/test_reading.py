"""What a worker does with many records at once."""

from __future__ import annotations

import time
from typing import Any

from tests.cluster.test_cluster import HELLO, Start, broker, start
from tests.conftest import Open
from tests.waiting import until

__all__ = ["broker", "start"]


async def test_hundreds_of_records_do_not_keep_clients_waiting(start: Start, peers: Open) -> None:
    """As many as a worker that was behind reads at once, each of which takes a millisecond."""
    one, two = await start(), await start()
    topic, _ = (worker.app.topic("test.topic") for worker in (one, two))
    caller, far = await peers(two.url, hello=HELLO), await peers(two.url, hello=HELLO)
    await far.subscribe(1, "test.topic")
    taken: list[int] = []
    handlers: Any = two.app._hub.cluster._handlers
    deliver = handlers["p"]

    def slowly(record: Any) -> None:
        time.sleep(0.001)
        taken.append(record.number)
        deliver(record)

    handlers["p"] = slowly
    for number in range(400):
        topic.publish(number)
    await until(lambda: taken)
    await caller.call("test.join", "room")
    assert len(taken) < 350, "the response has come meanwhile"
    assert [(await far.receive())["result"] for _ in range(400)] == list(range(400))
