"""Numbers of requests and responses that are longer than any number is, or that are none."""

from __future__ import annotations

import pytest

from wslink.proxy.upstream import _refusal
from wslink.transport import deflate

LONG = "9" * 5000
"""Longer than what Python makes an int of."""


@pytest.mark.parametrize("bits", [LONG, "0" * 5000, "\u0661\u0660", "\u00b2", "-9", "+9", "1_0", " "])
@pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
def test_window_bits(name: str, bits: str) -> None:
    agreement = deflate.negotiate(f"permessage-deflate; {name}={bits}, permessage-deflate")
    assert agreement is not None
    assert agreement.answer == "permessage-deflate; server_no_context_takeover"


@pytest.mark.parametrize("status", [LONG, "0404", "-404", "4_4", ""])
def test_the_status_of_a_target_that_refuses(status: str) -> None:
    assert _refusal(f"HTTP/1.1 {status} no\r\n\r\n".encode()) == 502
    assert _refusal(b"HTTP/1.1 404 no\r\n\r\n") == 404
