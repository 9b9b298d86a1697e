"""The shared vectors, tests/vectors/*.json, which TypeScript runs too. Each file's `about` says how to read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.wire.test_roundtrip import same
from wslink import App, InvalidParams
from wslink.errors import LimitExceeded, ParseError
from wslink.hub.filters import compile_filter
from wslink.wire import arrays
from wslink.wire.chunks import HEADER, Cutter, Unchunker, frames_of
from wslink.wire.codec import V1, V2_WITH_ARRAYS
from wslink.wire.frames import Source
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE, match_id
from wslink.wire.v1_json import V1Decoder
from wslink.wire.v2_msgpack import V2Decoder

FOLDER = Path(__file__).parent.parent / "vectors"
MAX_FRAME = 1 << 22
ERRORS = {ParseError: "malformed", LimitExceeded: "limit"}


def vectors(file: str, group: str) -> Any:
    cases = json.loads((FOLDER / f"{file}.json").read_text())[group]
    assert cases
    return pytest.mark.parametrize("case", cases, ids=[case.get("name", str(n)) for n, case in enumerate(cases)])


def plain(value: Any) -> Any:
    """A value in the notation of docs/protocol/README.md."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if "$float" in value:
        return float(value["$float"])
    if "$int" in value:
        return int(value["$int"])
    if "$array" in value:
        return array(value["$array"])
    return {key: plain(item) for key, item in value.items()}


def array(value: dict[str, Any]) -> Any:
    return numpy.frombuffer(bytes.fromhex(value["data"]), value["dtype"]).reshape(value["shape"])


def decoder(limits: Limits | None = None) -> V2Decoder:
    new = V2Decoder(limits or Limits())
    new.accept_arrays()
    return new


# ids.json


@vectors("ids", "valid")
def test_valid_id(case: dict[str, Any]) -> None:
    match = match_id(case["id"])
    assert match is not None
    assert (match[1], match[2], int(match[3])) == (case["kind"], case["name"], case["number"])


@vectors("ids", "invalid")
def test_invalid_id(case: dict[str, Any]) -> None:
    assert not isinstance(case["id"], str) or match_id(case["id"]) is None


# second_generation.json


def encode(message: Any) -> bytes | None:
    """Encode by the function that sends messages of this kind; None where Python never sends such a message."""
    encoder, shape = V2_WITH_ARRAYS, set(message) if isinstance(message, dict) else set()
    if shape == {"wslink", "id", "method", "args", "kwargs"}:
        encoded = encoder.call(message["id"], message["method"], message["args"], message["kwargs"], MAX_FRAME)
    elif shape == {"wslink", "id", "error"}:
        encoded = encoder.failure(message["id"], message["error"], MAX_FRAME)
    elif shape == {"wslink", "id", "result", "subscriptions"}:
        ids = tuple(message["subscriptions"])
        encoded = encoder.publication(message["id"], encoder.pack(message["result"]), ids, MAX_FRAME)
    elif shape == {"wslink", "id", "result"}:
        encoded = encoder.result(message["id"], message["result"], MAX_FRAME)
    else:
        return None
    return b"".join(bytes(frame.joined())[HEADER.size :] for frame in frames_of(encoded))


@vectors("second_generation", "cases")
def test_second_generation(case: dict[str, Any]) -> None:
    message, packed = plain(case["message"]), bytes.fromhex(case["packed"])
    decoded = decoder().receive(True, HEADER.pack(1, 0, len(packed)) + packed)
    assert same(decoded, message)
    assert encode(message) in (packed, None)
    if "frames" in case:
        cutter = Cutter(Source((packed,), len(packed), False, case["frame_size"]), case["message_id"])
        assert [bytes(frame.joined()).hex() for frame in cutter] == case["frames"]


def test_enough_messages_are_of_kinds_that_python_sends() -> None:
    cases = json.loads((FOLDER / "second_generation.json").read_text())["cases"]
    assert sum(encode(plain(case["message"])) is not None for case in cases) > len(cases) / 3


@vectors("second_generation", "decode")
def test_second_generation_decodes(case: dict[str, Any]) -> None:
    packed = bytes.fromhex(case["packed"])
    assert same(decoder().receive(True, HEADER.pack(1, 0, len(packed)) + packed), plain(case["message"]))


@vectors("second_generation", "malformed")
def test_second_generation_malformed(case: dict[str, Any]) -> None:
    packed = bytes.fromhex(case["packed"])
    with pytest.raises(ParseError):
        decoder().receive(True, HEADER.pack(1, 0, len(packed)) + packed)


# chunks.json


@vectors("chunks", "cases")
def test_chunks(case: dict[str, Any]) -> None:
    unchunker = Unchunker(Limits(**case.get("limits", {})))
    unchunker.accepts_ends = case.get("ends", False)
    for frame, outcome in zip(case["frames"], case["outcomes"], strict=True):
        try:
            message = unchunker.receive(bytes.fromhex(frame))
        except (ParseError, LimitExceeded) as error:
            assert {"error": ERRORS[type(error)]} == outcome
        else:
            assert (None if message is None else {"message": bytes(message).hex()}) == outcome


# arrays.json


@vectors("arrays", "cases")
def test_array(case: dict[str, Any]) -> None:
    value, payload = array(case["array"]), bytes.fromhex(case["payload"])
    dtype, data = arrays.array_bytes(value)
    head = arrays.array_head(dtype, value.shape)
    pad = arrays.padding(case["offset"] + len(head)) if len(data) >= arrays.ALIGN_ABOVE else b""
    assert (head + pad + data).hex() == payload.hex()
    assert same(arrays.unpack_array(memoryview(payload)), value)


@vectors("arrays", "decode")
def test_array_decodes(case: dict[str, Any]) -> None:
    assert same(arrays.unpack_array(memoryview(bytes.fromhex(case["payload"]))), array(case["array"]))


@vectors("arrays", "malformed")
def test_array_malformed(case: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        arrays.unpack_array(memoryview(bytes.fromhex(case["payload"])))


# first_generation.json


@vectors("first_generation", "cases")
def test_first_generation(case: dict[str, Any]) -> None:
    receiver, received = V1Decoder(Limits()), []
    for frame in case["frames"]:
        data = frame.get("text", None)
        message = receiver.receive(data is None, bytes.fromhex(frame["binary"]) if data is None else data)
        if message is not INCOMPLETE:
            received.append(message)
    assert len(received) == 1
    assert same(received[0], plain(case["message"]))


@vectors("first_generation", "cases")
def test_first_generation_is_what_we_send(case: dict[str, Any]) -> None:
    """Keys are numbered for the process, and a value used twice is sent twice: so what arrives is compared."""
    if case["sender"] != "server":
        return
    message = plain(case["message"])
    kind = "error" if "error" in message else "result"
    encode_ = V1.failure if kind == "error" else V1.result
    frames = encode_(message["id"], message[kind], 0).frames
    received = [frame for frame in frames if frame.binary]
    receiver = V1Decoder(Limits())
    decoded = [receiver.receive(frame.binary, bytes(frame.joined())) for frame in frames][-1]
    assert len(received) >= len({frame["binary"] for frame in case["frames"] if "binary" in frame})
    assert same(decoded[kind], message[kind])


# filters.json


@vectors("filters", "cases")
def test_filter(case: dict[str, Any]) -> None:
    definition = plain(case["filter"])
    if case.get("refused"):
        with pytest.raises(InvalidParams):
            compile_filter(definition, Limits())
    else:
        assert compile_filter(definition, Limits())(plain(case["tags"])) is case["matches"]


# hello.json


@vectors("hello", "cases")
async def test_hello(case: dict[str, Any], serve: Serve, peers: Open) -> None:
    page = case["server"].get("lets_in_without_secret", False)
    url = await serve(App(secret=None if page else case["server"]["secret"]))
    peer = await peers(url, headers={"Origin": url.replace("ws", "http", 1)} if page else {})
    await peer.send(case["request"])
    assert matches(await peer.receive(), case["answer"])


def matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, dict) and "$match" in pattern:
        return isinstance(value, str) and re.search(pattern["$match"], value) is not None
    if isinstance(pattern, dict):
        return (
            isinstance(value, dict)
            and value.keys() == pattern.keys()
            and all(matches(value[k], pattern[k]) for k in pattern)
        )
    return bool(value == pattern)
