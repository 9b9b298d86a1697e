"""Filters by themselves: each operator at its bound, each limit, and what is said of those that are wrong (SUB-8 to
SUB-17); and the requests that hold them (SUB-2, FLOW-6)."""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy
import pytest

from wslink import InvalidParams, Limits, UsageError
from wslink.hub.filters import check_tags, compile_filter, define
from wslink.hub.latest import key_in, parse_latest
from wslink.hub.patterns import compile_pattern, is_pattern
from wslink.hub.requested import parse_request, subscription_id

OPERATORS = "gte, gt, lte, lt, ne, prefix, exists"
ALLOWED = f"a condition is a string, number or boolean, a list of these, or a map with any of {OPERATORS}"
ONLY = f"must have one or more of {OPERATORS}, and no other key"
LIMITS = Limits(max_filter_conditions=4, max_filter_depth=2, max_filter_values=3, max_filter_text=5)


def matching(condition: Any, values: list[Any]) -> list[Any]:
    matches = compile_filter({"a": condition}, Limits())
    return [value for value in values if matches({"a": value})]


VALUES = [1, 2, 2.0, 3.5, True, False, "", "x", "xy", "2"]


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        (2, [2, 2.0]),
        (1, [1]),
        (True, [True]),
        (False, [False]),
        ("x", ["x"]),
        ([1, "x", False], [1, False, "x"]),
        ((2.0,), [2, 2.0]),
        ([], []),
        ({"gte": 2}, [2, 2.0, 3.5]),
        ({"gt": 2}, [3.5]),
        ({"lte": 2}, [1, 2, 2.0]),
        ({"lt": 2}, [1]),
        ({"gte": 1, "lt": 2}, [1]),
        ({"gte": "x"}, ["x", "xy"]),
        ({"lt": "x"}, ["", "2"]),
        ({"gte": False}, []),
        ({"ne": 2}, [1, 3.5, True, False, "", "x", "xy", "2"]),
        ({"ne": True}, [1, 2, 2.0, 3.5, False, "", "x", "xy", "2"]),
        ({"ne": "x"}, [1, 2, 2.0, 3.5, True, False, "", "xy", "2"]),
        ({"prefix": "x"}, ["x", "xy"]),
        ({"prefix": ""}, ["", "x", "xy", "2"]),
        ({"exists": True}, VALUES),
        ({"exists": True, "gt": 2}, [3.5]),
        ({"exists": False, "gt": 2}, []),
    ],
    ids=str,
)
def test_what_a_condition_lets_pass(condition: Any, values: list[Any]) -> None:
    found = matching(condition, VALUES)
    assert [(type(one), one) for one in found] == [(type(one), one) for one in values]
    assert not compile_filter({"a": condition}, Limits())({"b": 2})


@pytest.mark.parametrize(
    ("definition", "sent"),
    [
        (None, ["", "a", "b", "ab"]),
        ({}, ["", "a", "b", "ab"]),
        ({"a": 1}, ["a", "ab"]),
        ({"a": 1, "b": 1}, ["ab"]),
        ({"a": {"exists": False}}, ["", "b"]),
        ({"a": {"exists": False}, "b": 1}, ["b"]),
        ({"or": [{"a": 1}, {"b": 1}]}, ["a", "b", "ab"]),
        ({"and": [{"a": 1}, {"b": 1}]}, ["ab"]),
        ({"not": {"a": 1}}, ["", "b"]),
        ({"not": {}}, []),
        ({"or": ({"a": 2}, {"b": 1}), "a": 1}, ["ab"]),
        ({"not": {"a": 1}, "and": [{"b": 1}]}, ["b"]),
    ],
    ids=str,
)
def test_how_conditions_are_combined(definition: Any, sent: list[str]) -> None:
    matches = compile_filter(definition, Limits())
    tags: dict[str, Any] = {"": {}, "a": {"a": 1}, "b": {"b": 1}, "ab": {"a": 1, "b": 1}}
    assert [name for name, given in tags.items() if matches(given)] == sent


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ([], "a filter must be a map from tag names to conditions, not list"),
        ({3: 1}, "filter: a tag's name must be a string, not 3"),
        ({"a": None}, f"filter on 'a': None is not allowed; {ALLOWED}"),
        ({"a": math.nan}, f"filter on 'a': nan is not allowed; {ALLOWED}"),
        ({"a": [1, [2]]}, f"filter on 'a': [2] is not allowed; {ALLOWED}"),
        ({"a": {}}, f"filter on 'a': {{}} {ONLY}"),
        ({"a": {"gt": 1, "like": 2}}, f"filter on 'a': {{'gt': 1, 'like': 2}} {ONLY}"),
        ({"a": {"gt": [1]}}, f"filter on 'a': [1] is not allowed; {ALLOWED}"),
        ({"a": {"prefix": 3}}, "filter on 'a': prefix must be a string, not 3"),
        ({"a": {"exists": 1}}, "filter on 'a': exists must be true or false, not 1"),
        ({"a": {"exists": 0}}, "filter on 'a': exists must be true or false, not 0"),
        ({"not": [{}]}, "filter: not must be a filter, not [{}]"),
        ({"or": {}}, "filter: or must be a list of one or more filters, not {}"),
        ({"and": []}, "filter: and must be a list of one or more filters, not []"),
        ({"or": [3]}, "a filter must be a map from tag names to conditions, not int"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, "a filter of more conditions than max_filter_conditions (4)"),
        ({"or": [{"a": 1, "b": 1}, {"c": 1, "d": 1}]}, "a filter of more conditions than max_filter_conditions (4)"),
        ({"not": {"not": {"not": {}}}}, "filters nest deeper than max_filter_depth (2) levels"),
        ({"a": [1, 2, 3, 4]}, "filter on 'a': 4 values are over max_filter_values (3)"),
        ({"abcdef": 1}, "a name or string in a filter is over max_filter_text (5) characters"),
        ({"abcdef": {"exists": False}}, "a name or string in a filter is over max_filter_text (5) characters"),
        ({"a": "abcdef"}, "a name or string in a filter is over max_filter_text (5) characters"),
        ({"a": ["abcdef"]}, "a name or string in a filter is over max_filter_text (5) characters"),
        ({"a": {"prefix": "abcdef"}}, "a name or string in a filter is over max_filter_text (5) characters"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_filter(definition: Any, why: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        compile_filter(definition, LIMITS)
    assert caught.value.message == why


@pytest.mark.parametrize(
    "definition",
    [
        {"a": 1, "b": 1, "c": 1, "d": 1},
        {"or": [{"a": 1, "b": 1}, {"c": 1}]},
        {"not": {"not": {}}},
        {"a": [1, 2, 3]},
        {"abcde": "abcde"},
    ],
    ids=str,
)
def test_filters_at_their_limits_are_taken(definition: Any) -> None:
    assert callable(compile_filter(definition, LIMITS))


class Side(str, enum.Enum):
    LEFT = "left"


class Number(enum.IntEnum):
    ONE = 1


class Real(float):
    pass


def test_tags_are_plain() -> None:
    given = {
        "a": numpy.int64(3),
        "b": numpy.float32(0.5),
        "c": numpy.bool_(True),
        "d": numpy.array([7]),
        "e": Side.LEFT,
        "f": Number.ONE,
        "g": Real(1.5),
        "h": "x",
    }
    found = check_tags(given)
    assert found == {"a": 3, "b": 0.5, "c": True, "d": 7, "e": "left", "f": 1, "g": 1.5, "h": "x"}
    assert [type(one) for one in found.values()] == [int, float, bool, int, str, int, float, str]


TAG = "a tag has a string for a name and a string, number or boolean for a value"


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ([], "tags must be a mapping from names to strings, numbers or booleans, not list"),
        ({3: 1}, f"tag 3 is 1: {TAG}"),
        ({"a": None}, f"tag 'a' is None: {TAG}"),
        ({"a": [1]}, f"tag 'a' is [1]: {TAG}"),
        ({"a": b"x"}, f"tag 'a' is b'x': {TAG}"),
    ],
    ids=str,
)
def test_tags_that_no_publication_has(tags: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_tags(tags)
    assert str(caught.value) == why
    with pytest.raises(UsageError):
        check_tags({"a": numpy.array([1, 2])})


def request(**changes: Any) -> dict[str, Any]:
    return {"subscription": 1, "topic": "a.b", **changes}


ID = "a subscription's id must be an integer from 1 to 2^32-1, not"
RATE = "max_rate must be a number from 0.001 to 1000 (publications per second), not"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"subscription": 0}, f"{ID} 0"),
        ({"subscription": 2**32}, f"{ID} 4294967296"),
        ({"subscription": True}, f"{ID} True"),
        ({"subscription": None}, f"{ID} None"),
        ({"window": 0}, "window must be an integer from 1 to 1024, not 0"),
        ({"window": 1025}, "window must be an integer from 1 to 1024, not 1025"),
        ({"window": 1.5}, "window must be an integer from 1 to 1024, not 1.5"),
        ({"window": "x" * 50}, f"window must be an integer from 1 to 1024, not '{'x' * 39}"),
        ({"max_rate": 0}, f"{RATE} 0"),
        ({"max_rate": 1000.5}, f"{RATE} 1000.5"),
        ({"max_rate": True}, f"{RATE} True"),
        ({"topic": "a.*", "window": 3}, "window and max_rate are for a topic, not for a pattern"),
        ({"topic": "a.*", "max_rate": 3}, "window and max_rate are for a topic, not for a pattern"),
        ({"topic": "aaaa.*"}, "a pattern is over max_filter_text (5) characters"),
        ({"filter": {"a": "x" * 400}}, "a filter is over max_filter_size (300)"),
        ({"filter": 3}, "a filter must be a map from tag names to conditions, not int"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_request(changes: Any, why: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        parse_request(request(**changes), Limits(max_filter_text=5, max_filter_size=300))
    assert caught.value.message == why


def test_a_request_is_read() -> None:
    limits = Limits(max_filter_text=5)
    asked = parse_request(request(filter={"a": 1}, window=1024, max_rate=1000), limits)
    assert (asked.id, asked.topic, asked.filter.unpack(), asked.window, asked.max_rate) == (
        1,
        "a.b",
        {"a": 1},
        1024,
        1000.0,
    )
    assert (asked.covers, asked.matches({"a": 1}), asked.matches({"a": 2}), type(asked.max_rate)) == (
        None,
        True,
        False,
        float,
    )
    assert asked.request == {**request(), "filter": {"a": 1}, "window": 1024, "max_rate": 1000.0}
    bare = parse_request(request(subscription=2**32 - 1, window=1, max_rate=0.001), limits)
    assert (bare.filter.unpack(), bare.size, bare.window, bare.max_rate, bare.matches({})) == ({}, 0, 1, 0.001, True)
    pattern = parse_request(request(topic="aaa.*"), limits)
    assert pattern.covers is not None
    assert (pattern.covers("aaa.b"), pattern.covers("aaa"), pattern.window) == (True, False, None)
    assert subscription_id(7) == 7
    assert asked.size > 0


def test_patterns() -> None:
    good, bad = ("*", "**", "a.*", "*.b", "a.**", "a.*.b"), ("a.b", "a*", "a.**.b", "***", "", ".*", "*.", 3, None)
    assert [is_pattern(one) for one in good] == [True] * len(good)
    assert [is_pattern(one) for one in bad] == [False] * len(bad)
    names = ["a", "a.b", "a.b.c", "b", "b.b", "ä"]
    assert {one: [name for name in names if compile_pattern(one)(name)] for one in good[:5]} == {
        "*": ["a", "b"],
        "**": ["a", "a.b", "a.b.c", "b", "b.b"],
        "a.*": ["a.b"],
        "*.b": ["a.b", "b.b"],
        "a.**": ["a.b", "a.b.c"],
    }


def test_topics_whose_newest_publication_counts() -> None:
    assert parse_latest("") == {}
    assert parse_latest(" a.b , c:id,, d_e:x ") == {"a.b": "", "c": "id", "d_e": "x"}
    for wrong in ("a b", "a:", ":id", "a..b"):
        with pytest.raises(UsageError) as caught:
            parse_latest(f"x, {wrong}")
        assert str(caught.value) == (
            f"latest: {wrong!r} is not a topic; topics are separated by commas, and each may name an entry of its "
            "payload, such as viewport.image.push.subscription:id"
        )
    assert key_in({"id": 3}, "id") == ("int", 3)
    assert key_in({"id": True}, "id") == ("bool", True)
    assert key_in({"id": [3]}, "id") == "[3]"
    assert [key_in(*given) for given in (({"id": 3}, ""), ({"id": 3}, "other"), ([3], "id"))] == [None] * 3


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"a": [1, 2.5, True, "x"]},
        {"or": [{"a": {"gte": 0}}, {"b": {"prefix": "\u00e9"}}]},
        {"a": 2**70},
        {"a": "\ud800"},
    ],
)
def test_what_defines_a_filter_is_kept_whatever_it_holds(definition: dict[str, Any]) -> None:
    kept = define(definition)
    assert (bool(kept), kept.unpack(), [type(value) for value in kept.unpack().values()]) == (
        bool(definition), definition, [type(value) for value in definition.values()],
    )  # fmt: skip
    assert kept.unpack() is not definition
