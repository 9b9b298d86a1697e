"""What is sent to a client that acknowledges, after a moment in which its machine was busy."""

from __future__ import annotations

import pytest

from tests.session.queueing import Line, large, small
from wslink.session import flow as flows
from wslink.session.entries import Entry
from wslink.session.flow import FlowControl
from wslink.session.send_queue import SendQueue


async def test_a_line_that_looked_slow_for_a_moment_is_not_waited_for_once_nothing_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FLOW-4: small messages that a busy client acknowledged late say little of what its line carries."""
    now = 100.0
    monkeypatch.setattr(flows, "monotonic", lambda: now)
    queue, line = SendQueue(10**9), Line()
    flow = FlowControl(queue, line, lambda message: True, lambda: flow.pump())
    for text in "ab":
        queue.put(Entry(small(text * 200)))
    flow.pump()
    now += 0.3
    flow.acknowledged(line.total // 2, 0)
    now += 0.5
    flow.acknowledged(line.total, 0)
    queue.put(Entry(large("c", 1_000_000)))
    flow.pump()
    steps = 0
    while queue.waiting:
        now += 0.002
        steps += 1
        flow.acknowledged(line.total, 0)
        assert steps < 100, f"{queue.waiting} bytes wait for {flow.line.delay(now):.1f} s more"
    flow.stop()
