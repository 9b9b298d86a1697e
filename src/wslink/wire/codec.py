"""Detection of a connection's protocol version, and the encoders that all connections share."""

from __future__ import annotations

from wslink.wire.limits import Limits
from wslink.wire.v1_json import V1Decoder, V1Encoder
from wslink.wire.v2_msgpack import V2Decoder, V2Encoder

Encoder = V1Encoder | V2Encoder
Decoder = V1Decoder | V2Decoder

V1 = V1Encoder()
V2 = V2Encoder()
V2_WITH_ARRAYS = V2Encoder(arrays=True)


def detect(binary: bool, limits: Limits) -> tuple[Encoder, Decoder]:
    """Return the codec of a connection, which its first data frame determines (DET-1)."""
    if binary:
        return V2, V2Decoder(limits, max_message=limits.auth_msg_size, calls=True)
    return V1, V1Decoder(limits, calls=True)
