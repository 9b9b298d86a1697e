"""Mutated messages through a live server, with an honest client beside."""

from __future__ import annotations

import os

import pytest

from tests.hostile.arena import KINDS, Server, server
from tests.hostile.mutations import Mutator, Outcome, send_all
from tests.hostile.probe import Meter, Probe

MESSAGES = int(os.environ.get("WSLINK_MUTATIONS", "3000"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("relay", "reverse")])
def test_an_honest_client_is_answered_beside_mutated_messages(kind: str, control: Server) -> None:
    with server(kind) as one:
        probe, meter = Probe(one.felt, one.process), Meter(one.process)
        probe.start()
        meter.start()
        outcome = Outcome()
        send_all(one.attacked, Mutator(seed=7), MESSAGES, outcome)
        probe.stop()
        meter.stop()
    assert not probe.failed
    assert outcome.sent == MESSAGES
    assert not outcome.forgotten, outcome.forgotten[0]
    assert outcome.answered > MESSAGES // 200  # of one for every 50, if no connection is ended
    assert meter.growth < 32 << 20
