"""What the sender of a malformed message is told: why, and never more than a few lines."""

from __future__ import annotations

from typing import Any

import pytest

from wslink.errors import InvalidRequest, ParseError, PeerError
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits
from wslink.wire.messages import Request, parse_call
from wslink.wire.show import MAX_EXPLAINED
from wslink.wire.v1_json import V1Decoder
from wslink.wire.v2_msgpack import V2Decoder

TIMESTAMPS = {"of one byte": b"\xd4\xff\x01", "out of range": b"\xc7\x0c\xff" + b"\xff" * 12}


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("deep", [1, 900])
@pytest.mark.parametrize("timestamp", TIMESTAMPS.values(), ids=TIMESTAMPS)
@pytest.mark.parametrize("calls", [True, False])
def test_a_malformed_value_is_explained_in_few_words_however_deep_it_lies(
    timestamp: bytes, deep: int, size: int, calls: bool
) -> None:
    text = b"\x81\xa4args\x92" + b"\xc6" + size.to_bytes(4, "big") + bytes(size) + b"\x91" * deep + timestamp
    with pytest.raises(ParseError, match="malformed MessagePack: ") as caught:
        V2Decoder(Limits(), calls=calls).receive(True, HEADER.pack(1, 0, len(text)) + text)
    assert len(caught.value.message) < MAX_EXPLAINED + 50


@pytest.mark.parametrize("text", ['{"a": ' * 900 + "x", '{"' + "x" * 100_000 + '": y}', "x" * 100_000])
def test_malformed_json_is_explained_in_few_words(text: str) -> None:
    with pytest.raises(ParseError, match="malformed JSON: ") as caught:
        V1Decoder(Limits()).receive(False, text)
    assert len(caught.value.message) < MAX_EXPLAINED + 50


KINDS = {
    "null": None,
    "a boolean": True,
    "a number": 1.5,
    "a string": "x",
    "a list": [1],
    "a map": {"a": 1},
    "a bytes": b"x",
}


@pytest.mark.parametrize("said", KINDS)
def test_a_call_of_wrong_types_is_refused_with_what_it_has(said: str) -> None:
    given = KINDS[said]

    def refused(**changes: Any) -> str:
        with pytest.raises(InvalidRequest) as caught:
            parse_call({"id": "rpc:c0:1", "method": "a.b", **changes})
        return caught.value.message

    if said != "a string":
        assert refused(method=given) == f"'method' must be a string, not {said}"
    if said not in ("a list", "null"):  # which stands for an absent one
        assert refused(args=given) == f"'args' must be a list, not {said}"
    if said not in ("a number", "null"):
        assert refused(stream=given) == f"'stream' must be a number of items, not {said}"
    if said != "a boolean":
        assert refused(progress=given) == f"'progress' must be a boolean, not {said}"


def test_what_extensions_add_to_a_call_is_read() -> None:
    call = {"id": "rpc:c0:1", "method": "a.b", "stream": 3, "progress": True, "traceparent": "00"}
    found = parse_call({**call, "args": [1], "kwargs": {"c": 2}})
    assert found == Request("a.b", "rpc:c0:1", [1], {"c": 2}, 3, True, "00")
    assert parse_call(found) == found
    assert parse_call({"id": "", "method": "a.b"}) == Request("a.b", "")


def test_half_of_a_surrogate_pair_is_malformed() -> None:
    """Engines hand over text that they have decoded, as it comes."""
    with pytest.raises(PeerError):
        V1Decoder(Limits()).receive(False, '\ud800{"id": "rpc:c0:1"')
