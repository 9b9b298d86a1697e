"""Publications of what is not a number: the newest of it takes the place of the one before, as of any other value."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from wslink import App
from wslink.hub.latest import key_in

NANS: list[Any] = [float("nan"), float("nan"), numpy.float32("nan"), numpy.array(float("nan"))]


@pytest.mark.parametrize("by", ["tags", "key", "tuple"])
async def test_one_is_retained(by: str) -> None:
    app = App()
    topic = app.topic("test.topic", delivery="latest", retain=True)
    for number, nan in enumerate(NANS):
        if by == "tags":
            topic.publish(number, {"value": nan})
        else:
            topic.publish(number, key=float(nan) if by == "key" else ("a", (float(nan),)))
    async with app.connect() as link:
        subscription = link.subscribe("test.topic")
        await subscription.ready
        topic.publish("last", {"value": 1})
        assert await anext(subscription) == len(NANS) - 1
        assert await anext(subscription) == "last"


def test_entries_of_payloads_of_the_released_api() -> None:
    first, second = ({key_in({"id": float("nan")}, "id"): None} for _ in range(2))
    assert first == second
