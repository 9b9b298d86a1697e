"""docs/python.md says which values are carried and refused; the rows that no other test holds."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import re
import uuid
from typing import Any

import numpy
import pytest

import wslink
from tests.conftest import Serve
from wslink import App, CallError

UTC = datetime.timezone.utc
ROWS: list[tuple[Any, Any]] = [
    ((1, {2}, frozenset((3,))), [1, [2], [3]]),
    ([bytearray(b"x"), memoryview(b"y")], [b"x", b"y"]),
    ([numpy.float32(1.5), numpy.int8(3), numpy.bool_(True)], [1.5, 3, True]),
    ([uuid.UUID(int=1), decimal.Decimal("1.5")], [str(uuid.UUID(int=1)), "1.5"]),
    ([datetime.date(2024, 1, 2), datetime.time(3, 4)], ["2024-01-02", "03:04:00"]),
    (datetime.datetime(2024, 1, 2, 3), "2024-01-02T03:00:00"),
    (datetime.datetime(2024, 1, 2, 3, tzinfo=UTC), datetime.datetime(2024, 1, 2, 3, tzinfo=UTC)),
    (datetime.timedelta(seconds=1.5), "PT1.5S"),
    (dataclasses.make_dataclass("Row", ["index"])(3), {"index": 3}),
    ({2: "a", 1.5: "b", True: "c", None: "d"}, {2: "a", 1.5: "b", True: "c", None: "d"}),
]
REFUSED = [
    numpy.array(["2024-01-01"], "M8[s]"),
    numpy.array([object()]),
    numpy.array(["text"]),
    numpy.array([(1, 2)], [("a", "i4"), ("b", "i4")]),
    numpy.ma.masked_array([1, 2], [True, False]),
    2**64,
    "\ud800",
    {b"a": 1},
]


def name(value: Any) -> str:
    """The same in every process, and one that pytest takes."""
    return re.sub(r" at 0x[0-9a-f]+|\\|\s+", "", ascii(value))[:40]


@pytest.mark.parametrize(("value", "arrives"), ROWS, ids=[name(row[0]) for row in ROWS])
async def test_a_value_arrives_as_the_table_says(app: App, serve: Serve, value: Any, arrives: Any) -> None:
    app.method("test.value")(lambda: value)
    app.method("test.echo")(lambda value: value)
    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("test.value") == arrives
        assert await link.call("test.echo", value) == arrives
        assert await link.call("test.echo", [{"a": value}]) == [{"a": arrives}]


@pytest.mark.parametrize("value", REFUSED, ids=name)
async def test_a_value_is_refused_as_the_table_says(app: App, serve: Serve, value: Any) -> None:
    app.method("test.value")(lambda: [value])
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError) as error:
            await link.call("test.value")
        assert error.value.code == -32002
        with pytest.raises(wslink.NotSerializable):
            await link.call("test.value", {"a": value})
