"""The sizes of messages and frames: none is larger than it may be, and each is as large as it says (G2-5)."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from wslink.wire.chunks import HEADER, HEADER_LENGTH, frames_of
from wslink.wire.v2_msgpack import V2Encoder

VALUES: dict[str, Any] = {"flat": lambda text: text, "nested": lambda text: [text], "bytes": lambda text: text.encode()}


@pytest.mark.parametrize("number", [0, 7])
@pytest.mark.parametrize("max_frame", [500, 2**20])
@pytest.mark.parametrize("length", [0, 30, 900, 4200, 17_000, 70_000])
@pytest.mark.parametrize("kind", VALUES)
def test_a_result_and_its_frames_are_of_the_size_that_they_say(
    kind: str, length: int, max_frame: int, number: int
) -> None:
    value = VALUES[kind]("x" * length)
    message = V2Encoder().result("rpc:c0:1", value, max_frame, number)
    frames = list(frames_of(message))
    chunks = [b"".join(bytes(part) for part in frame.parts) for frame in frames]
    assert [frame.size for frame in frames] == [len(chunk) for chunk in chunks]
    assert max(map(len, chunks)) <= max_frame
    assert all(len(chunk) == max_frame for chunk in chunks[:-1])
    ids, offsets, totals = zip(*(HEADER.unpack_from(chunk) for chunk in chunks), strict=True)
    text = b"".join(chunk[HEADER_LENGTH:] for chunk in chunks)
    assert set(totals) == {len(text)}
    assert message.size == HEADER_LENGTH + len(text)
    assert list(offsets) == [sum(map(len, chunks[:at])) - at * HEADER_LENGTH for at in range(len(chunks))]
    assert len(set(ids)) == 1
    assert message.source is not None or not number or ids[0] == number
    assert msgpack.unpackb(text)["result"] == value
