"""Which subscriptions a publication may concern."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslink.hub.filter_index import FilterIndex, filter_size
from wslink.hub.filters import check_tags, compile_filter
from wslink.wire.limits import Limits

LIMITS = Limits(max_filter_depth=100, max_filter_conditions=1000)
NAMES = st.sampled_from("abcd")
NUMBERS = [0, 1, 1.0, 2.5, -3, 2**53 + 1, 10**400, 1e300, -1e-300, float("inf"), float("-inf")]
VALUES = st.sampled_from([*NUMBERS, True, False, "", "x", "xy", "y", "1", "\U0001f30d"])
TAGS = st.one_of(VALUES, st.just(float("nan")), st.integers(), st.floats())
CONDITIONS = st.one_of(
    VALUES,
    st.lists(VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt", "ne"]), VALUES, min_size=1, max_size=3),
    st.fixed_dictionaries({"gte": st.floats(allow_nan=False), "lt": st.floats(allow_nan=False)}),
    st.fixed_dictionaries({"gt": st.integers(-20, 20), "lte": st.integers(-20, 20)}),
    st.fixed_dictionaries({"prefix": st.sampled_from(["", "x", "xy", "1"])}, optional={"lt": VALUES}),
    st.fixed_dictionaries({"exists": st.booleans()}, optional={"ne": VALUES}),
)
FILTERS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(NAMES, CONDITIONS, max_size=3),
    lambda inner: st.one_of(
        st.builds(lambda filters, more: {"and": filters, **more}, st.lists(inner, min_size=1, max_size=3), inner),
        st.builds(lambda filters, more: {"or": filters, **more}, st.lists(inner, min_size=1, max_size=3), inner),
        st.builds(lambda one, more: {"not": one, **more}, inner, inner),
    ),
    max_leaves=5,
)


@given(st.lists(FILTERS, max_size=12), st.lists(st.dictionaries(NAMES, TAGS, max_size=4), max_size=6), st.data())
def test_it_finds_all_that_match_and_each_once(
    filters: list[dict[str, Any]], publications: list[dict[str, Any]], data: st.DataObject
) -> None:
    index: FilterIndex[int] = FilterIndex()
    for number, definition in enumerate(filters):
        index.add(number, definition)
    gone = data.draw(st.sets(st.sampled_from(range(len(filters))))) if filters else set()
    for number in gone:
        index.remove(number)
    for publication in publications:
        tags = check_tags(publication)
        found = index.find(tags)
        matching = {n for n, one in enumerate(filters) if n not in gone and compile_filter(one, LIMITS)(tags)}
        assert matching <= set(found)
        assert len(found) == len(set(found))


def definition_of(number: int) -> dict[str, Any]:
    """A filter of each sort, by turns."""
    sorts: list[dict[str, Any]] = [
        {"row": [number, number + 1], "x": {"gte": 1}},
        {"row": {"gte": number, "lt": number + 7}},
        {"row": {"gte": number}},
        {"name": {"prefix": str(number)}},
        {"or": [{"row": number}, {"name": {"lt": str(number)}}, {"row": {"gt": number / 3, "lt": number}}]},
        {"not": {"row": number}},
        {"row": {"exists": False}},
        {"row": {"ne": number}},
    ]
    return sorts[number % len(sorts)]


def test_nothing_is_kept_of_what_was_removed() -> None:
    index: FilterIndex[int] = FilterIndex()
    for number in range(100):
        index.add(number, definition_of(number))
    for number in range(100):
        index.remove(number)
    assert not index._places
    assert not index._anywhere
    assert not index._repeated
    assert not len(index)


def test_filters_over_tags_that_no_publication_has_cost_it_nothing() -> None:
    index: FilterIndex[int] = FilterIndex()
    for number in range(1000):
        index.add(number, {"row": {"gte": 0}, **{f"tag{n}": {"gte": n} for n in range(30)}})
    index.add(-1, {"row": {"gte": 0}})
    start = time.perf_counter()
    found = index.find({"row": 1, "kind": "frame"})
    assert time.perf_counter() - start < 0.01
    assert -1 in found
    assert len(found) < 50


@pytest.mark.parametrize(
    ("definition", "most"),
    [
        (lambda n: {"row": n}, 1),
        (lambda n: {"row": [n, -n - 1]}, 1),
        (lambda n: {"row": n, "kind": "frame"}, 2),
        (lambda n: {"kind": ["frame", "other"], "row": {"gte": n, "lt": n + 1}}, 16),
        (lambda n: {"row": list(range(n, n + 20))}, 20),
        (lambda n: {"row": {"gte": n, "lt": n + 1}}, 8),
        (lambda n: {"row": {"gte": n / 8, "lt": n / 8 + 0.3}, "kind": {"ne": "x"}}, 24),
        (lambda n: {"kind": {"prefix": f"frame.{n}."}}, 1),
        (lambda n: {"kind": {"gte": f"frame.{n}.", "lt": f"frame.{n}.~"}}, 1),
        (lambda n: {"or": [{"row": n}, {"column": n}]}, 1),
        (lambda n: {"and": [{"kind": "frame"}, {"row": {"gte": n, "lt": n + 2}}], "not": {"column": n}}, 16),
    ],
)
def test_what_a_publication_meets_does_not_grow_with_the_filters(
    definition: Callable[[int], dict[str, Any]], most: int
) -> None:
    index: FilterIndex[int] = FilterIndex()
    for number in range(10_000):
        index.add(number, definition(number))
    tags = {"row": 77, "kind": "frame.77.x"}
    assert len(index.find(tags)) <= most
    assert {n for n in range(10_000) if compile_filter(definition(n), LIMITS)(tags)} <= set(index.find(tags))


def test_what_a_filter_counts() -> None:
    assert filter_size({}) == 0
    assert filter_size({"row": 1}) == 64 + 3
    assert filter_size({"row": ["ab", 2]}) == 64 + 3 + 2 * 64 + 2
    assert filter_size({"or": [{"row": 1}, {"row": 2}]}) == 64 + 2 + 2 * 64 + 2 * (64 + 3)
    assert filter_size({"row": {"gte": 1, "ne": "abc"}}) == 64 + 3 + 2 * 64 + 3


PUBLICATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "other": {"b": 1},
    "one": {"a": 1},
    "two": {"a": 2.5},
    "ten": {"a": 10},
    "text": {"a": "xy"},
    "more": {"a": "z"},
    "true": {"a": True},
}


@pytest.mark.parametrize(
    ("condition", "looked_at"),
    [
        (1, ["one"]),
        (True, ["true"]),
        ("xy", ["text"]),
        ([1, "z"], ["one", "more"]),
        (list(range(100)), ["one", "ten"]),
        ([], []),
        ({"prefix": "x"}, ["text"]),
        ({"prefix": "x", "lt": "xa"}, ["text"]),
        ({"gte": 2}, ["two", "ten"]),
        ({"gt": 2.5}, ["two", "ten"]),
        ({"lte": 2.5}, ["one", "two"]),
        ({"lt": 1}, ["one"]),
        ({"gte": "y"}, ["more"]),
        ({"lt": "y"}, ["text"]),
        ({"gte": "x", "lt": "xz"}, ["text"]),
        ({"gte": "xa", "lte": "xz"}, ["text"]),
        ({"ne": 1}, ["one", "two", "ten", "text", "more", "true"]),
        ({"exists": True}, ["one", "two", "ten", "text", "more", "true"]),
        ({"exists": False}, list(PUBLICATIONS)),
        ({"exists": False, "gt": 2}, []),
        ({"gt": True}, []),
        ({"gt": 1, "lt": "x"}, []),
    ],
    ids=str,
)
def test_a_condition_is_looked_at_for_few_publications(condition: Any, looked_at: list[str]) -> None:
    """What the index leaves out need not be evaluated: a filter that nothing fulfils never is."""
    index: FilterIndex[str] = FilterIndex()
    index.add("it", {"a": condition})
    found = {name: list(index.find(tags)) for name, tags in PUBLICATIONS.items()}
    assert [name for name, one in found.items() if one] == looked_at
    matches = compile_filter({"a": condition}, LIMITS)
    assert {name for name, tags in PUBLICATIONS.items() if matches(tags)} <= set(looked_at)
    assert len(index) == 1
    index.remove("it")
    assert not any(index.find(tags) for tags in PUBLICATIONS.values())
    assert len(index) == 0
