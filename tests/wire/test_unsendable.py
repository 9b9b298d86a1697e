"""The place of a value that cannot be sent, in both protocol versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy
import pytest

from wslink.errors import NotSerializable
from wslink.wire import unsendable
from wslink.wire.v1_json import V1Encoder
from wslink.wire.v2_msgpack import V2Encoder


class Foreign:
    pass


class Raising:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@dataclass
class Scene:
    name: str = "bunny"
    views: list[Any] = field(default_factory=lambda: [1, Foreign()])


class Light(msgspec.Struct):
    azimuth: float
    source: Any


@pytest.mark.parametrize("encoder", [V1Encoder(), V2Encoder()], ids=["1", "2"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1, {"b": Foreign()}]}, "a value of type Foreign at a[1].b cannot be sent; make it a dataclass"),
        ([({"x y": Foreign()},)], "a value of type Foreign at [0][0]['x y'] cannot be sent; make it"),
        ({3: Foreign()}, "a value of type Foreign at [3] cannot be sent; make it"),
        ({"scene": Scene()}, "a value of type Foreign at scene.views[1] cannot be sent; make it"),
        ([Light(30, Foreign())], "a value of type Foreign at [0].source cannot be sent; make it"),
        ({"hits": map(str, ())}, "a value of type map at hits cannot be sent; make a list of it"),
        ({"a": [numpy.array([object()])]}, "an array of dtype object at a[0] cannot be sent; allowed: |b1"),
        ({"a": numpy.array(["2026-11-29"], "M8[D]")}, "an array of dtype datetime64[D] at a cannot be sent; send"),
        (Foreign(), "a value of type Foreign cannot be sent; make it"),
    ],
    ids=range(9),
)
def test_the_place_is_named(encoder: V1Encoder | V2Encoder, value: Any, said: str) -> None:
    with pytest.raises(NotSerializable) as raised:
        encoder.pack(value)
    assert str(raised.value).startswith(said)
    assert raised.value.__cause__ is None


def test_of_a_value_that_holds_itself_no_more_is_looked_at_than_may_be() -> None:
    endless: list[Any] = [numpy.array([object()])]
    endless.insert(0, endless)
    with pytest.raises(NotSerializable):
        V2Encoder().pack(endless)


@pytest.mark.parametrize("encoder", [V1Encoder(), V2Encoder()], ids=["1", "2"])
def test_a_place_is_looked_for_only_among_so_many_values(
    encoder: V1Encoder | V2Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsendable, "MAX_LOOKED_AT", 100)
    with pytest.raises(NotSerializable, match=r"Foreign at \[99\] cannot"):
        encoder.pack([*range(99), Foreign()])
    with pytest.raises(NotSerializable, match="Foreign cannot"):
        encoder.pack([*range(100), Foreign()])


@pytest.mark.parametrize("encoder", [V1Encoder(), V2Encoder()], ids=["1", "2"])
def test_a_key_that_raises_leaves_out_the_place_alone(encoder: V1Encoder | V2Encoder) -> None:
    with pytest.raises(NotSerializable, match="Foreign cannot be sent"):
        encoder.pack({"a": {"b": Foreign()}, Raising(): 1})
