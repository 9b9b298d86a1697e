"""tests/vectors/trace.json, which TypeScript runs too (TRC)."""

from __future__ import annotations

from typing import Any

from tests.wire.test_vectors import plain, vectors
from wslink.wire.chunks import HEADER, frames_of
from wslink.wire.codec import V2
from wslink.wire.limits import Limits
from wslink.wire.messages import Request, parse_call
from wslink.wire.traceparent import TraceParent, read_traceparent, write_traceparent
from wslink.wire.v2_msgpack import V2Decoder


@vectors("trace", "messages")
def test_a_message_that_names_its_span(case: dict[str, Any]) -> None:
    message, packed = case["message"], bytes.fromhex(case["packed"])
    options = {key: message[key] for key in ("progress", "traceparent") if key in message}
    if "method" in message:
        encoded = V2.call(message["id"], message["method"], message["args"], message["kwargs"], 1 << 22, options)
    else:
        payload, ids = V2.pack(message["result"]), tuple(message["subscriptions"])
        encoded = V2.publication(message["id"], payload, ids, 1 << 22, options)
    assert b"".join(bytes(frame.joined())[HEADER.size :] for frame in frames_of(encoded)) == packed
    decoded = V2Decoder(Limits(), calls=True).receive(True, HEADER.pack(1, 0, len(packed)) + packed)
    if isinstance(decoded, Request):
        assert (decoded.id, decoded.traceparent) == (message["id"], message["traceparent"])
        assert parse_call(message) == decoded
    else:
        assert decoded == message


@vectors("trace", "traceparents")
def test_what_a_traceparent_is_taken_for(case: dict[str, Any]) -> None:
    value, expected = plain(case["value"]), case["is"]
    found = read_traceparent(value)
    if expected is None:
        assert found is None
        return
    assert found == TraceParent(int(expected["trace"], 16), int(expected["span"], 16), expected["sampled"])
    again = write_traceparent(*found)
    assert again == f"00-{expected['trace']}-{expected['span']}-{'01' if expected['sampled'] else '00'}"
