"""Recordings (REC): a file of any kind is played or refused, and what is played can be written again."""

from __future__ import annotations

import os
import tempfile

import msgpack

from tests.fuzz.vectors import bundle
from wslink.errors import UsageError
from wslink.replay.static import pieces
from wslink.replay.tape import EVERYBODY, open_tape
from wslink.wire import recording
from wslink.wire.recording import MAGIC

WHOLE = bytes.fromhex(bundle("recording")["file"])


def _file(*rows: object) -> bytes:
    records = [[0, 0.0, [], {}, None], *rows]
    texts = [row if isinstance(row, bytes) else msgpack.packb(row) for row in records]
    return MAGIC + b"\x01\0\0\0" + b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _call(*args: object) -> bytes:
    return msgpack.packb({"id": "rpc:c:1", "method": "a.b", "args": list(args), "kwargs": {}})


def _streamed() -> bytes:
    return msgpack.packb({"id": "rpc:c:1", "method": "a.b", "args": [], "kwargs": {}, "stream": 4})


def _item() -> bytes:
    return msgpack.packb({"id": "rpc:c:1", "result": {"n": 1}})


SEEDS = [
    WHOLE,
    WHOLE[: len(WHOLE) // 2],
    _file(),
    _file([1, 1.0, ["c"], None, _call(*([[]] * 1000))], [2, 2.0, ["c"], None, msgpack.packb({"id": "rpc:c:1"})]),
    _file([1, 0.0, [], None, _call({"a": float("nan")}, msgpack.ExtType(1, b"\x06\x92\xa3|u1\x02ab"))]),
    _file([3, 1e308, ["c"] * 500, {"a": 1}, msgpack.packb({"id": "publish:a.b:1", "result": {"row": 2**63}})]),
    _file([4, float("inf"), [], "lost", None], [4, -1.0, [], "x", None]),
    _file([1, 0.0, ["c"], None, b"\x84" + _call()[1:-10] + b"\x91" * 900]),
    _file([9, 0.0, [], None, None, 1, 2, 3], [3, 0.0, [], {"a": []}, b""]),
    MAGIC + b"\x01\0\0\0" + b"\xff\xff\xff\xff",
    _file([1, 0.0, ["c"], None, _streamed()], [5, 1.0, ["c"], None, _item()], [5, 1.0, ["d"], None, _item()]),
    _file([6, 0.0, ["c"], None, _call()], [7, 1.0, ["c"], None, _item()], [6, 0.0, [], None, _item()]),
]
_PATH = os.path.join(tempfile.mkdtemp(prefix="wslink-fuzz-"), "fuzzed.wsrec")


def run(data: bytes) -> None:
    with open(_PATH, "wb") as file:
        file.write(data)
    for client in ("", EVERYBODY):
        try:
            tape = open_tape(_PATH, client)
        except UsageError as error:
            assert len(str(error)) < 2000 + len(_PATH)
            continue
        for shown in tape.shown:
            shown.payload  # noqa: B018 - it must not raise
        for exchanges in tape.answered.values():
            for exchange in exchanges:
                for message in (exchange.response, *(item for _, item in exchange.items)):
                    if message is not None:
                        recording.decode(message)
        again = b"".join(pieces(tape))
        assert len(again) < 1000 + 10 * len(data)
        with open(_PATH, "wb") as file:
            file.write(again)
        assert len(open_tape(_PATH, EVERYBODY).shown) == len(tape.shown)
        with open(_PATH, "wb") as file:
            file.write(data)
