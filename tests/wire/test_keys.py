"""The keys of maps and the number of values in messages, wherever they stand (MSG-8, LIM-13)."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from wslink.errors import LimitExceeded, ParseError
from wslink.wire.maps import check_decoded, check_packed

KEY = "a key of a map must be a string, a number, a boolean or null"
MANY = 10**6
EXT = {n: msgpack.packb(msgpack.ExtType(5, bytes(n))) for n in (1, 2, 3, 4, 8, 16, 255, 256, 65_536)}
VALUES: list[bytes] = [
    *map(msgpack.packb, (None, True, False, 0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1)),
    *map(msgpack.packb, (-1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63), 1.5)),
    msgpack.packb(1.5, use_single_float=True),
    *(msgpack.packb("x" * n) for n in (0, 1, 31, 32, 255, 256, 65_535, 65_536)),
    *(msgpack.packb(b"x" * n) for n in (0, 1, 255, 256, 65_535, 65_536)),
    *EXT.values(),
    *(msgpack.packb([None] * n) for n in (0, 1, 15, 16, 17)),
    *(msgpack.packb(["x"] * n) for n in (15, 16, 17, 18)),
    *(msgpack.packb({str(k): k for k in range(n)}) for n in (0, 1, 15, 16)),
    b"\xdd\x00\x00\x00\x02\x01\x02",
    b"\xdf\x00\x00\x00\x01\xa1k\x02",
    b"\xde\x00\x01\xa1k\x91\x02",
    msgpack.packb([1.5] * 20),
    msgpack.packb([1.5] * 17 + [1]),
    msgpack.packb([[1.5] * 20, {"a": [1.5] * 20}]),
]
"""One value in every form that MessagePack has."""
GOOD_KEYS: list[bytes] = [value for value in VALUES if value[0] < 0x80 or value[0] >= 0xA0]
GOOD_KEYS = [
    value
    for value in GOOD_KEYS
    if not (0xC4 <= value[0] <= 0xC9 or 0xD4 <= value[0] <= 0xD8 or 0xDC <= value[0] <= 0xDF)
]
BAD_KEYS: list[bytes] = [value for value in VALUES if value not in GOOD_KEYS]
BAD_MAP = b"\x81\xc4\x01k\x01"
ids = dict.fromkeys(range(200))


def refused(text: bytes, limit: int = MANY) -> str:
    with pytest.raises((ParseError, LimitExceeded)) as caught:
        check_packed(text, limit)
    return caught.value.message


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:2].hex() + f"-{len(value)}")
def test_a_key_is_found_behind_every_kind_of_value(value: bytes) -> None:
    check_packed(b"\x92" + value + b"\x81\xa1k\x01", MANY)
    assert refused(b"\x92" + value + BAD_MAP) == KEY
    assert refused(b"\x82\xa1k" + value + b"\xc4\x01k\x01") == KEY
    assert refused(b"\x93" + value * 2 + BAD_MAP) == KEY


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda value: value[:2].hex() + f"-{len(value)}")
def test_text_numbers_and_constants_are_keys(key: bytes) -> None:
    check_packed(b"\x81" + key + b"\x01", MANY)
    check_packed(b"\x92" + msgpack.packb(["x"] * 300) + b"\x81" + key + b"\x01", MANY)


@pytest.mark.parametrize("key", BAD_KEYS, ids=lambda value: value[:2].hex() + f"-{len(value)}")
def test_nothing_else_is_a_key(key: bytes) -> None:
    assert refused(b"\x81" + key + b"\x01") == KEY
    if key[0] not in (0x80, 0xDE, 0xDF) and not 0x80 <= key[0] < 0x90:
        assert refused(b"\x92" + msgpack.packb(["x"] * 300) + b"\x81" + key + b"\x01") == KEY


@pytest.mark.parametrize("count", [254, 255, 256, 257, 300])
def test_a_key_is_found_however_many_values_stand_before_it(count: int) -> None:
    text = msgpack.packb(["x"] * count)[1 if count < 16 else 3 :]
    head = b"\xdc" + (count + 1).to_bytes(2, "big")
    check_packed(head + text + b"\x81\xa1k\x01", MANY)
    assert refused(head + text + BAD_MAP) == KEY


def test_keys_are_told_from_values() -> None:
    check_packed(msgpack.packb({"a": [1, 2], "b": {"c": b"x"}, 3: [b"y"], None: {}, True: []}), MANY)
    check_packed(msgpack.packb([b"x", [b"y", {"a": b"z"}]]), MANY)
    check_packed(msgpack.packb({"a": [{"b": 1}] * 20, "c": b"x"}), MANY)
    assert refused(b"\x81\xa1a\x92\x01" + BAD_MAP) == KEY


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (["x"] * 300, 300),
        ([["x"] * 200, ["x"] * 200], 402),
        ([{str(n): "x" for n in range(200)}, ["x"] * 200], 402),
        ({str(n): ["x"] for n in range(200)}, 400),
    ],
    ids=["flat", "nested", "maps", "in a map"],
)
def test_the_values_of_a_message_are_counted(value: Any, count: int) -> None:
    text = msgpack.packb(value)
    check_packed(text, count)
    assert refused(text, count - 1) == f"over max_elements ({count - 1}) values are in one message"


def test_the_length_of_one_list_or_map_tells_alone() -> None:
    for text in (msgpack.packb(["x"] * 600), msgpack.packb({str(n): "x" for n in range(600)})):
        assert refused(text[:1100], 599) == "over max_elements (599) values are in one message"


def test_malformed_text_is_left_to_the_decoder_or_named() -> None:
    check_packed(b"", MANY)
    check_packed(b"\x92\x01", MANY)
    check_packed(b"\xdc\x00\x20" + b"\xcb" * 17, MANY)
    said = refused(msgpack.packb(["x"] * 300)[:-1])
    assert said.startswith("malformed MessagePack: ")
    assert len(said) > len("malformed MessagePack: ")


def test_the_maps_of_a_decoded_message() -> None:
    check_decoded([{"a": [{1: {None: True}}], 1.5: "x", True: []}, [[]], {}])
    for wrong in ({(1,): 1}, {b"x": 1}):
        for value in ([wrong], [[1, [wrong]]], [{"a": {"b": wrong}}], [{"a": [wrong]}, 3]):
            with pytest.raises(ParseError) as caught:
                check_decoded(value)
            assert caught.value.message == KEY
