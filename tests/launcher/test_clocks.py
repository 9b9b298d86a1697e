"""Clocks that are set while sessions run."""

from __future__ import annotations

import time

import pytest

from wslink.launcher.session import Session


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_a_clock_that_is_set_makes_no_session_older(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("id", "app", "", ("127.0.0.1", 1), {})
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    assert 0 <= session.age < 5
    session.begin("ada")
    assert session.created == pytest.approx(now() + jump, abs=5)
    assert 0 <= session.age < 5


@pytest.mark.parametrize(("ago", "age"), [(0, 0), (100, 100), (-100, 0)])
def test_a_session_that_was_written_down_is_as_old_as_it_says(ago: float, age: float) -> None:
    record = {"application": "app", "client": "", "lease": ["127.0.0.1", 1], "values": {}, "public": {}, "ready": True,
              "standby": False, "created": time.time() - ago}  # fmt: skip
    assert Session.from_record("id", record).age == pytest.approx(age, abs=5)
