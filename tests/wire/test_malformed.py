"""What the sender of a malformed message is told: why, and never more than a few lines."""

from __future__ import annotations

import pytest

from wslink.errors import ParseError
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits
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
