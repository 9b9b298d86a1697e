"""tests/vectors/streams.json, which TypeScript runs too (STR)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.msgpack import Ext

from tests.wire import test_vectors
from wslink.errors import PeerError
from wslink.rpc.streams import Streams
from wslink.wire.chunks import HEADER, frames_of
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.extensions import Extension, read_stream_key, stream_key
from wslink.wire.limits import Limits
from wslink.wire.messages import Request
from wslink.wire.v2_msgpack import V2Decoder


def plain(value: Any) -> Any:
    if isinstance(value, dict) and "$stream" in value:
        return stream_key(value["$stream"])
    if isinstance(value, dict) and "$bytes" not in value:
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else test_vectors.plain(value)


class _Received:
    """Equal to a stream as it is received, which differs from one to be sent."""

    def __init__(self, sent: Ext) -> None:
        self._sent = sent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extension) and (other.code, other.data) == (self._sent.code, self._sent.data)

    @classmethod
    def all(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: cls.all(value) for name, value in values.items()}
        if isinstance(values, list):
            return list(map(cls.all, values))
        return cls(values) if isinstance(values, Ext) else values


@test_vectors.vectors("streams", "messages")
def test_a_message_of_a_stream(case: dict[str, Any]) -> None:
    message, packed = plain(case["message"]), bytes.fromhex(case["packed"])
    if isinstance(message, list):
        encoded = V2_WITH_ARRAYS.extension(message, 1 << 22)
    else:
        options = {key: message[key] for key in ("progress", "stream") if key in message}
        encoded = V2_WITH_ARRAYS.call(
            message["id"], message["method"], message["args"], message["kwargs"], 1 << 22, options
        )
    assert b"".join(bytes(frame.joined())[HEADER.size :] for frame in frames_of(encoded)) == packed
    decoded = V2Decoder(Limits(), calls=True).receive(True, HEADER.pack(1, 0, len(packed)) + packed)
    if isinstance(decoded, Request):
        assert (decoded.stream, decoded.args, decoded.kwargs) == (
            message.get("stream"), _Received.all(message["args"]), _Received.all(message["kwargs"])
        )  # fmt: skip
    else:
        assert decoded == message


@pytest.mark.parametrize("key", [0, 127, 128, 65536, 2**32])
def test_the_key_of_a_stream(key: int) -> None:
    """STR-4."""
    sent = stream_key(key)
    assert read_stream_key(Extension(sent.code, sent.data)) == key


class Credits:
    """A port that notes the credits."""

    has_room = True

    def __init__(self) -> None:
        self.credits: list[Any] = []

    def encoded_item(self, items: Sequence[Any]) -> Any:
        raise NotImplementedError

    def send_item(self, items: Sequence[Any], lane: int | None, encoded: Any = None) -> None:
        raise NotImplementedError

    def send_credit(self, items: Sequence[Any]) -> None:
        self.credits.append(items[2])

    async def room_again(self) -> None:
        raise NotImplementedError


@test_vectors.vectors("streams", "readers")
async def test_a_reader(case: dict[str, Any]) -> None:
    port = Credits()
    inlet = Streams(port, 1024, 1024).open("rpc:c0:0").inlet(None, case["window"])
    taken = list[int]()
    for step in case["steps"]:
        if "item" in step:
            inlet.put(step["item"], step["item"], 10)
        elif "end" in step:
            inlet.stop()
        for _ in range(step.get("take", 0)):
            taken.append(await asyncio.wait_for(anext(inlet), 1))
    assert (taken, port.credits) == (case["taken"], case["credits"])
    if case.get("refused"):
        with pytest.raises(PeerError):
            await anext(inlet)
