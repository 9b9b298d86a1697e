"""Clients that try secrets until one fits (LIM-8)."""

from __future__ import annotations

import pytest

from tests.hostile.arena import server
from tests.hostile.registry import MESSAGES
from tests.hostile.sockets import Ended, WebSocket
from wslink import Limits

TRIES = 10


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_connection_has_ten_tries(kind: str) -> None:
    with server(kind) as one:
        socket = WebSocket.open(one.attacked, timeout=10)
        tries = 0
        with pytest.raises(Ended, match="1008"):
            while tries < 50:
                assert "error" in socket.hello(f"secret{tries}")
                tries += 1
        assert tries <= TRIES
        socket.close()


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_client_that_errs_may_still_come_in(kind: str) -> None:
    with server(kind) as one:
        socket = WebSocket.open(one.attacked, timeout=10)
        for number in range(3):
            assert "error" in socket.hello(f"secret{number}")
        assert "result" in socket.hello()
        assert socket.call("test.quick", 1) == 1
        socket.close()


def test_the_bound_is_a_limit_with_a_name() -> None:
    assert Limits().max_hellos == TRIES
