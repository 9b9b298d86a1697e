"""Attachments of the first generation (G1-3 to G1-9)."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import pytest

from wslink.errors import InvalidRequest, ParseError
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.v1_json import V1Decoder


def header(*keys: str) -> str:
    return json.dumps({"wslink": "1.0", "method": "wslink.binary.attachment", "args": list(keys)})


def call(*args: Any) -> str:
    return json.dumps({"wslink": "1.0", "id": "rpc:c1:1", "method": "a.b", "args": args})


@pytest.fixture
def decoder() -> V1Decoder:
    decoder = V1Decoder(Limits(max_attachments=3, max_attachment_bytes=100, auth_msg_size=10))
    decoder.raise_limits(0)
    return decoder


def attach(decoder: V1Decoder, key: str, data: bytes) -> None:
    assert decoder.receive(False, header(key)) is INCOMPLETE
    assert decoder.receive(True, data) is INCOMPLETE


def test_a_key_is_replaced_only_as_a_whole_string(decoder: V1Decoder) -> None:
    attach(decoder, "wslink_bin1", b"one")
    attach(decoder, "wslink_bin10", b"ten")
    message = decoder.receive(False, call("wslink_bin1", {"x": ["wslink_bin10", "see wslink_bin1"]}, "wslink_bin2"))
    assert message["args"] == [b"one", {"x": [b"ten", "see wslink_bin1"]}, "wslink_bin2"]


def test_a_header_may_name_several_keys(decoder: V1Decoder) -> None:
    decoder.receive(False, header("wslink_bin1", "wslink_bin2"))
    decoder.receive(True, b"one")
    decoder.receive(True, b"two")
    assert decoder.receive(False, call("wslink_bin2", "wslink_bin1"))["args"] == [b"two", b"one"]


def test_an_attachment_serves_one_message(decoder: V1Decoder) -> None:
    attach(decoder, "wslink_bin1", b"one")
    assert decoder.receive(False, call(["wslink_bin1"] * 2))["args"] == [[b"one"] * 2]
    assert decoder.receive(False, call("wslink_bin1"))["args"] == ["wslink_bin1"]


def test_attachments_that_nobody_collects_are_bounded(decoder: V1Decoder) -> None:
    """G1-8, LIM-5."""
    for n in range(5):
        attach(decoder, f"wslink_bin{n}", b"x")
    assert decoder.receive(False, call(*(f"wslink_bin{n}" for n in range(5))))["args"] == [
        "wslink_bin0",
        "wslink_bin1",
        b"x",
        b"x",
        b"x",
    ]
    attach(decoder, "wslink_bin7", b"x" * 60)
    attach(decoder, "wslink_bin8", b"y" * 60)
    assert decoder.receive(False, call("wslink_bin7", "wslink_bin8"))["args"] == ["wslink_bin7", b"y" * 60]


def test_what_a_message_has_collected_makes_room(decoder: V1Decoder) -> None:
    for n in range(3):
        attach(decoder, f"wslink_bin{n}", b"x" * 60)
        assert decoder.receive(False, call(f"wslink_bin{n}"))["args"] == [b"x" * 60]


def test_before_hello_attachments_are_small() -> None:
    decoder = V1Decoder(Limits(auth_msg_size=10))
    attach(decoder, "wslink_bin1", b"x" * 8)
    attach(decoder, "wslink_bin2", b"y" * 8)
    assert decoder.receive(False, call("wslink_bin1", "wslink_bin2"))["args"] == ["wslink_bin1", b"y" * 8]


def test_bytes_without_a_header_are_malformed(decoder: V1Decoder) -> None:
    with pytest.raises(ParseError):
        decoder.receive(True, b"bytes")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        ["other"],
        ["wslink_bin1x"],
        ["wslink_bin" + "1" * 33],
        [1],
        ["wslink_bin1", "wslink_bin2", "wslink_bin3", "wslink_bin4"],
    ],
)
def test_a_malformed_header_is_refused(decoder: V1Decoder, keys: list[Any]) -> None:
    with pytest.raises(InvalidRequest):
        decoder.receive(False, header(*keys))


@pytest.mark.parametrize("text", ["", "{", "[1,]", "\x00", "{'a': 1}", "[" * 100_000])
def test_malformed_json_is_refused(decoder: V1Decoder, text: str) -> None:
    with pytest.raises(ParseError):
        decoder.receive(False, text)


@pytest.mark.parametrize("deep", [sys.getrecursionlimit() - 300, 2 * sys.getrecursionlimit()])
def test_nesting_that_is_too_deep_for_attachments_is_refused(decoder: V1Decoder, deep: int) -> None:
    attach(decoder, "wslink_bin1", b"one")
    with contextlib.suppress(ParseError):  # which depth is too deep depends on the version of Python
        decoder.receive(False, call("wslink_bin1").replace('"wslink_bin1"', "[" * deep + "]" * deep))
    assert decoder.receive(False, call("wslink_bin1"))["args"] == [b"one"]


def test_bare_literals_are_numbers(decoder: V1Decoder) -> None:
    args = decoder.receive(False, '{"id": "rpc:c1:1", "args": [NaN, Infinity, -Infinity]}')["args"]
    assert [str(value) for value in args] == ["nan", "inf", "-inf"]
