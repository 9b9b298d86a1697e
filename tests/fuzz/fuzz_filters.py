"""Filters of subscriptions (SUB-8 to SUB-11, SUB-15 to SUB-17) and their index, as they arrive in JSON."""

from __future__ import annotations

import json

from tests.fuzz.vectors import group
from wslink.errors import InvalidParams, PeerError
from wslink.hub.filter_index import FilterIndex
from wslink.hub.filters import compile_filter
from wslink.wire.limits import Limits
from wslink.wire.v1_json import V1Decoder

LIMITS = Limits(max_filter_values=256)
SEEDS = [
    *(json.dumps([case["filter"], case.get("tags", {})]).encode() for case in group("filters", "cases")),
    json.dumps([{"a": [(2**61 - 1) * n for n in range(200)]}, {"a": 0}]).encode(),
    json.dumps([{"a": {"gte": [[[[[[[[1]]]]]]]]}}, {"a": 0}]).encode(),
]


def run(data: bytes) -> None:
    try:
        message = V1Decoder(LIMITS).receive(False, data)
    except PeerError:
        return
    definition, tags = message if isinstance(message, list) and len(message) == 2 else (message, {})
    try:
        matches = compile_filter(definition, LIMITS)
    except InvalidParams as error:
        assert len(error.message) < 2000
        return
    if isinstance(tags, dict):
        plain = {name: tag for name, tag in tags.items() if isinstance(tag, (str, int, float))}
        index: FilterIndex[int] = FilterIndex()
        index.add(1, definition or {})
        assert matches(plain) in ((True, False) if index.find(plain) else (False,))
        index.remove(1)
        assert not index.find(plain)
