"""How deeply a value that is sent may nest (MSG-8), whatever an application has made of Python's own bound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from wslink.errors import NotSerializable
from wslink.wire.v1_json import V1Encoder
from wslink.wire.v2_msgpack import V2Encoder


@pytest.fixture(params=[1000, 20_000])
def bound(request: pytest.FixtureRequest) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(request.param, before))
    yield
    sys.setrecursionlimit(before)


def lists(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def maps(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value, "b": 1}
    return value


@pytest.mark.usefixtures("bound")
@pytest.mark.parametrize("nested", [lists, maps])
@pytest.mark.parametrize("kind", [V1Encoder, V2Encoder])
def test_values_nest_as_deep_as_the_protocol_allows_and_no_deeper(kind: Any, nested: Any) -> None:
    kind().pack(nested(512))
    kind().result("c1:1", nested(511), 2**20)
    with pytest.raises(NotSerializable, match="nested too deeply"):
        kind().pack(nested(513))
    with pytest.raises(NotSerializable, match="nested too deeply"):
        kind().result("c1:1", nested(513), 2**20)


@pytest.mark.parametrize("kind", [V1Encoder, V2Encoder])
@pytest.mark.parametrize("text", ["[{" * 600, '["' * 600, '\\"[' * 600, "]}" * 600, "\\" + "[" * 600, "[\\" * 600])
def test_brackets_in_text_are_no_levels(kind: Any, text: str) -> None:
    for value in (text, [text, {text: text}, b"x", text]):
        kind().pack(value)
    with pytest.raises(NotSerializable, match="nested too deeply"):
        kind().pack([text, lists(513), text])
