"""Which subscriptions a publication may concern."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wslink.hub.filter_index import FilterIndex, filter_size
from wslink.hub.filters import check_tags, compile_filter
from wslink.wire.limits import Limits

LIMITS = Limits()
NAMES = st.sampled_from("abcd")
VALUES = st.sampled_from([0, 1, 1.0, True, False, "x", "y", "1", 2.5])
CONDITIONS = st.one_of(
    VALUES,
    st.lists(VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["gte", "lt", "ne"]), VALUES, min_size=1, max_size=2),
)
FILTERS = st.dictionaries(NAMES, CONDITIONS, max_size=3)


@given(st.lists(FILTERS, max_size=12), st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=6), st.data())
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


def test_nothing_is_kept_of_what_was_removed() -> None:
    index: FilterIndex[int] = FilterIndex()
    for number in range(100):
        index.add(number, {"row": [number, number + 1], "x": {"gte": 1}})
    for number in range(100):
        index.remove(number)
    assert not index._items
    assert not index._values
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


def test_what_a_filter_counts() -> None:
    assert filter_size({}) == 0
    assert filter_size({"row": 1}) == 64 + 3
    assert filter_size({"row": ["ab", 2]}) == 64 + 3 + 2 * 64 + 2
    assert filter_size({"row": {"gte": 1, "ne": "abc"}}) == 64 + 3 + 2 * 64 + 3
