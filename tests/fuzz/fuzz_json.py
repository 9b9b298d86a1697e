"""Version 1: the input is a list of frames, each behind a byte (0 text, 1 binary) and its length in two bytes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.vectors import group
from wslink.errors import PeerError
from wslink.wire.limits import Limits
from wslink.wire.messages import MAX_ID, Request, parse_call
from wslink.wire.v1_json import V1Decoder


def joined(frames: list[tuple[bool, bytes]]) -> bytes:
    return b"".join(bytes((binary,)) + len(data).to_bytes(2, "little") + data for binary, data in frames)


def frames(data: bytes) -> Iterator[tuple[bool, bytes]]:
    while data:
        length = int.from_bytes(data[1:3], "little")
        yield bool(data[0] % 2), data[3 : 3 + length]
        data = data[3 + length :]


def _of(case: dict[str, object]) -> bytes:
    found: list[tuple[bool, bytes]] = []
    for frame in case["frames"]:  # type: ignore[attr-defined]
        found.append((True, bytes.fromhex(frame["binary"])) if "binary" in frame else (False, frame["text"].encode()))
    return joined(found)


TEXTS = (
    b'{"wslink": "1.0", "id": "rpc:c1:1", "method": "a.b", "args": [1, NaN, -Infinity, "wslink_bin1"], "kwargs": {}}',
    b'{"id": "x", "method": "a", "args": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"id": "x", "method": "a", "args": [' + b"9" * 5000 + b", 100000000000000000000, -1e400]}",
    b'{"id": "\\ud800", "method": "a"}',
    b'"' * 5000,
    b'{"a": "' * 1000,
    b'{"a":1,"b":2,"c":"\\"","id":"y","args":[}',
)
SEEDS = [
    *map(_of, group("first_generation", "cases")),
    *(joined([(False, text)]) for text in TEXTS),
    joined([(False, text.decode().encode("utf-16")) for text in TEXTS[:1]]),
]
LIMITS = Limits(max_attachments=4, max_attachment_bytes=1000, max_elements=5000, max_message=50_000)


def run(data: bytes) -> None:
    for calls in (True, False):
        decoder = V1Decoder(LIMITS, calls=calls)
        decoder.raise_limits(0)
        for binary, frame in frames(data):
            try:
                message = decoder.receive(binary, frame)
                call = parse_call(message) if calls else None
            except PeerError as error:
                assert error.id is None or len(error.id) <= MAX_ID
                assert len(error.message) < 2000
                continue
            if call is not None:
                assert isinstance(call, Request)
                call.id.encode()
