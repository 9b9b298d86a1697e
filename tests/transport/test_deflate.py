from __future__ import annotations

import asyncio
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslink.errors import LimitExceeded
from wslink.transport import deflate
from wslink.wire.frames import Frame, text_frame


def binary(data: bytes, dense: bool = False) -> Frame:
    return Frame(True, (data,), len(data), dense)


@pytest.mark.parametrize(
    ("offers", "bits", "words"),
    [
        ("permessage-deflate", 15, "server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", 15, "; client_no_context_takeover"),
        ("permessage-deflate; client_max_window_bits", 15, "server_no_context_takeover"),
        ("x-other, permessage-deflate; server_max_window_bits=10; client_max_window_bits=12", 10, "bits=10"),
        ('permessage-deflate; server_max_window_bits="9"', 9, "bits=9"),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", 15, "server_no_context_takeover"),
    ],
)
def test_an_offer_is_accepted(offers: str, bits: int, words: str) -> None:
    answer = deflate.negotiate(offers)
    assert answer is not None
    assert answer[1] == bits
    assert answer[0].endswith(words)


@pytest.mark.parametrize(
    "offers",
    [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; new=1",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
    ],
)
def test_an_offer_is_declined(offers: str) -> None:
    assert deflate.negotiate(offers) is None


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(9, 15))
def test_what_is_deflated_inflates(parts: list[bytes], bits: int) -> None:
    frame = Frame(True, tuple(parts), sum(map(len, parts)), False)
    assert deflate.Inflater(False).inflate(deflate.deflate(frame, bits), 2000) == b"".join(parts)


def test_no_more_than_the_limit_is_expanded() -> None:
    data = deflate.deflate(binary(bytes(100_000)))
    assert len(deflate.Inflater(False).inflate(data, 100_000)) == 100_000
    with pytest.raises(LimitExceeded, match="more than 99999 bytes"):
        deflate.Inflater(False).inflate(data, 99_999)
    with pytest.raises(zlib.error):
        deflate.Inflater(False).inflate(b"\xff" * 20, 100)


def test_what_is_worth_compressing() -> None:
    assert deflate.worth_compressing(text_frame(b"a" * 1024))
    assert not deflate.worth_compressing(text_frame(b"a" * 1023))
    assert deflate.worth_compressing(binary(bytes(100_000)))
    assert not deflate.worth_compressing(binary(bytes(100_000), dense=True))
    assert not deflate.worth_compressing(binary(os.urandom(100_000)))


async def test_a_frame_for_many_clients_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counting(frame: Frame, bits: int) -> bytes:
        nonlocal calls
        calls += 1
        return b"x"

    monkeypatch.setattr(deflate, "deflate", counting)
    deflater, small, large = deflate.Deflater(), binary(bytes(2000)), binary(bytes(200_000))
    for _ in range(5):
        deflater.small(small, 15)
    assert calls == 1
    await asyncio.gather(*(deflater.large(large, 15) for _ in range(5)))
    assert calls == 2
