"""Which protocol version a connection speaks, and the encoders that all connections share."""

from __future__ import annotations

from wslink.wire.limits import Limits
from wslink.wire.v1_json import FirstDecoder, FirstEncoder
from wslink.wire.v2_msgpack import SecondDecoder, SecondEncoder

Encoder = FirstEncoder | SecondEncoder
Decoder = FirstDecoder | SecondDecoder

FIRST = FirstEncoder()
SECOND = SecondEncoder()
SECOND_WITH_ARRAYS = SecondEncoder(arrays=True)


def detect(binary: bool, limits: Limits) -> tuple[Encoder, Decoder]:
    """The codec of a connection, told by its first data frame (DET-1)."""
    if binary:
        return SECOND, SecondDecoder(limits, max_message=limits.auth_msg_size, calls=True)
    return FIRST, FirstDecoder(limits, calls=True)
