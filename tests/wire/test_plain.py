"""Values that no encoder knows, as values that they do: dates of every kind above all."""

from __future__ import annotations

import collections
import datetime
import types
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from wslink.errors import NotSerializable
from wslink.wire.plain import not_serializable, to_plain, wrong_key

pytest.importorskip("pydantic")

import pydantic

UTC = datetime.timezone.utc


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Bytes(bytes):
    pass


class Array(bytearray):
    pass


class List(list):  # type: ignore[type-arg]
    pass


Pair = collections.namedtuple("Pair", "a b")


class Stamp(datetime.datetime):
    nanosecond = 0


class Clock(datetime.time):
    pass


class Day(datetime.date):
    pass


class Span(datetime.timedelta):
    nanoseconds = 0


class Fine(Span):
    nanoseconds = 5


class FineStamp(Stamp):
    nanosecond = 5

    def isoformat(self, *_: Any) -> str:
        return "finer"


class Never(datetime.date):
    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Item(pydantic.BaseModel):
    count: int = pydantic.Field(1, alias="howMany")


PLAIN: list[tuple[Any, Any]] = [
    (Text("x"), "x"),
    (Number(3), 3),
    (Real(1.5), 1.5),
    (Bytes(b"x"), b"x"),
    (Array(b"x"), bytearray(b"x")),
    (List([1]), [1]),
    (Pair(1, 2), (1, 2)),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.deque([1, "x"]), [1, "x"]),
    (Item(), {"howMany": 1}),
    (numpy.float32(0.5), 0.5),
    (numpy.int64(3), 3),
    (numpy.bool_(True), True),
    (numpy.str_("x"), "x"),
    (Stamp(2026, 1, 2, 3, 4, 5, 6, UTC, fold=1), datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC, fold=1)),
    (Clock(3, 4, 5, 6, UTC, fold=1), datetime.time(3, 4, 5, 6, UTC, fold=1)),
    (Day(2026, 1, 2), datetime.date(2026, 1, 2)),
    (Span(1, 2, 3), datetime.timedelta(1, 2, 3)),
    (Fine(1, 2, 3), "PT86402.000003005S"),
    (Fine(0, 0, -1), "-PT0.000000995S"),
    (Fine(0, 0, 0), "PT0.000000005S"),
    (FineStamp(2026, 1, 2), "finer"),
    (Never(2026, 1, 2), None),
]


@pytest.mark.parametrize(("value", "plain"), PLAIN, ids=[type(case[0]).__name__ for case in PLAIN])
def test_a_value_has_a_plain_form(value: Any, plain: Any) -> None:
    found = to_plain(value)
    assert type(found) is type(plain)
    assert found == plain
    for name in ("tzinfo", "fold"):
        assert getattr(found, name, None) == getattr(plain, name, None)


def stamp(text: str, unit: str = "") -> Any:
    return numpy.datetime64(text, unit) if unit else numpy.datetime64(text)


LONGEST = datetime.timedelta.max // datetime.timedelta(microseconds=1)
DATES: list[tuple[Any, Any]] = [
    (numpy.datetime64("NaT"), None),
    (numpy.timedelta64("NaT"), None),
    (stamp("2026-01-02", "D"), datetime.date(2026, 1, 2)),
    (stamp("2026", "Y"), datetime.date(2026, 1, 1)),
    (stamp("2026-01-02T03:04:05", "s"), datetime.datetime(2026, 1, 2, 3, 4, 5)),
    (stamp("2026-01-02T03:04:05.000006", "us"), datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
    (stamp("2026-01-02T03:04:05.000006", "ns"), datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
    (stamp("2026-01-02T03:04:05.000006007", "ns"), "2026-01-02T03:04:05.000006007"),
    (stamp("20000-01-02", "D"), "20000-01-02"),
    (stamp("20000-01-02T03:04:05", "s"), "20000-01-02T03:04:05"),
    (numpy.timedelta64(3, "s"), datetime.timedelta(seconds=3)),
    (numpy.timedelta64(2, "W"), datetime.timedelta(weeks=2)),
    (numpy.timedelta64(5, "ms"), datetime.timedelta(milliseconds=5)),
    (numpy.timedelta64(2000, "ns"), datetime.timedelta(microseconds=2)),
    (numpy.timedelta64(1500, "ns"), "PT0.0000015S"),
    (numpy.timedelta64(-1500, "ns"), "-PT0.0000015S"),
    (numpy.timedelta64(2, "25ns").astype("m8[25ns]"), "PT0.00000005S"),
    (numpy.timedelta64(1000, "ps"), "PT0.000000001S"),
    (numpy.timedelta64(10**6, "fs"), "PT0.000000001S"),
    (numpy.timedelta64(10**9, "as"), "PT0.000000001S"),
    (numpy.timedelta64(10**9, "W"), "PT604800000000000S"),
    (numpy.timedelta64(10**10, "D"), "PT864000000000000S"),
    (numpy.timedelta64(10**12, "h"), "PT3600000000000000S"),
    (numpy.timedelta64(10**14, "m"), "PT6000000000000000S"),
    (numpy.timedelta64(10**15, "s"), "PT1000000000000000S"),
    (numpy.timedelta64(10**18, "ms"), "PT1000000000000000S"),
]


@pytest.mark.parametrize(("value", "plain"), DATES, ids=lambda one: f"{one!r}"[:40])
def test_dates_of_numpy(value: Any, plain: Any) -> None:
    found = to_plain(value)
    assert (type(found), found) == (type(plain), plain)


MAKE_IT = "; make it a dataclass, or send a dict, a list, a number or text in its place"


class Awaited:
    def __await__(self) -> Iterator[None]:
        yield None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (numpy.timedelta64(3, "Y"), "a timedelta64 in years cannot be sent: it has no fixed length"),
        (numpy.timedelta64(3, "M"), "a timedelta64 in months cannot be sent: it has no fixed length"),
        (numpy.timedelta64(3), "a timedelta64 in no unit cannot be sent: it has no fixed length"),
        (
            numpy.timedelta64(999, "ps"),
            "a timedelta64 of 999 picoseconds cannot be sent: it is finer than nanoseconds",
        ),
        (numpy.longdouble(1), f"a value of type longdouble cannot be sent{MAKE_IT}"),
        (object(), f"a value of type object cannot be sent{MAKE_IT}"),
        (1j, f"a value of type complex cannot be sent{MAKE_IT}"),
        (Item, "a value of type ModelMetaclass cannot be sent"),
        (len, "a value of type builtin_function_or_method cannot be sent"),
        ((one for one in ()), "a value of type generator cannot be sent; make a list of it"),
        (Awaited(), "a value of type Awaited cannot be sent; await it first"),
    ],
    ids=range(11),
)
def test_what_has_no_plain_form_is_named(value: Any, why: str) -> None:
    with pytest.raises(NotSerializable) as caught:
        to_plain(value)
    assert str(caught.value) == why


KEYS = "strings, numbers, booleans or None"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({(1, 2): 1}, f"a map with a key of type tuple cannot be sent; keys are {KEYS}"),
        ([1, {"a": ({b"x": 1},)}], f"a map with a key of type bytes cannot be sent; keys are {KEYS}"),
        (types.MappingProxyType({Day(2026, 1, 2): 1}), f"a map with a key of type Day cannot be sent; keys are {KEYS}"),
        ([{"a": 1}], f"a map with another key than {KEYS} cannot be sent"),
        (3, f"a map with another key than {KEYS} cannot be sent"),
    ],
    ids=str,
)
def test_a_key_that_cannot_be_sent_is_named(value: Any, why: str) -> None:
    assert wrong_key(value) == why


def test_why_a_value_could_not_be_encoded() -> None:
    deep = "a value that is nested too deeply, or that holds itself, cannot be sent"
    errors = (
        RecursionError("x"),
        ValueError("Circular reference detected"),
        ValueError("why"),
        KeyError(),
        ValueError(),
    )
    assert [str(not_serializable(one)) for one in errors] == [deep, deep, "why", "KeyError()", "ValueError()"]
