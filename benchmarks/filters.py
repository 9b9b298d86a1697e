"""What a publication costs with many filters, all of which differ: python -m benchmarks.filters

Microseconds of CPU for finding the subscriptions and evaluating their filters, without encoding and sending, as a table
of docs/scale.md.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from wslink.hub.filter_index import FilterIndex
from wslink.hub.filters import compile_filter
from wslink.wire.limits import Limits

Tags = dict[str, Any]


def square(number: int, count: int) -> Mapping[str, Any]:
    """One of a map, which is larger with more of them."""
    side = max(int(count**0.5), 1)
    row, column = divmod(number, side)
    return {"row": {"gte": row, "lt": row + 3}, "column": {"gte": column, "lt": column + 3}}


KINDS: dict[str, Callable[[int, int], Mapping[str, Any]]] = {
    'a value, `{"row": 17}`': lambda number, count: {"row": number},
    'a range, `{"row": {"gte": 17, "lt": 20}}`': lambda number, count: {"row": {"gte": number, "lt": number + 3}},
    'a prefix, `{"kind": {"prefix": "a.17."}}`': lambda number, count: {"kind": {"prefix": f"a.{number}."}},
    "one of two tags, with `or`": lambda number, count: {"or": [{"row": number}, {"column": number}]},
    "a square of a map, two ranges": square,
}


def measure(kind: Callable[[int, int], Mapping[str, Any]], count: int, publications: int = 500) -> float:
    """Microseconds of one publication, in the best of five tries."""
    index: FilterIndex[int] = FilterIndex()
    limits, matches = Limits(), []
    for number in range(count):
        definition = kind(number, count)
        index.add(number, definition)
        matches.append(compile_filter(definition, limits))
    choose = random.Random(1)
    span = max(int(count**0.5), 1) if kind is square else count
    tags: list[Tags] = []
    for _ in range(publications):
        row, column = choose.randrange(span), choose.randrange(span)
        tags.append({"row": row, "column": column, "kind": f"a.{row}.b"})
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        found = sum(matches[number](one) for one in tags for number in index.find(one))
        best = min(best, time.process_time() - began)
        assert found
    return best / publications * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000, 10_000])
    counts = parser.parse_args().counts
    print("| each filter asks for |" + "".join(f" {count:,} |" for count in counts))
    print("| --- |" + " --- |" * len(counts))
    for name, kind in KINDS.items():
        print(f"| {name} |" + "".join(f" {measure(kind, count):.1f} |" for count in counts), flush=True)


if __name__ == "__main__":
    main()
