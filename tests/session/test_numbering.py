"""Numbers of messages over connections that are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslink.errors import ParseError
from wslink.session.numbering import Received, Unacknowledged


def test_what_was_acknowledged_is_let_go_and_what_is_missing_is_kept() -> None:
    sent: Unacknowledged[str] = Unacknowledged()
    assert [sent.number(text, 10) for text in "abcd"] == [1, 2, 3, 4]
    sent.acknowledge(3, {2})
    assert [(number, kept.message) for number, kept in sent] == [(2, "b"), (4, "d")]
    assert sent.size == 20
    sent.acknowledge(3)
    assert [number for number, _ in sent] == [4]
    sent.acknowledge(4)
    assert (len(sent), sent.size) == (0, 0)


def test_an_acknowledgement_of_what_was_never_sent_changes_nothing() -> None:
    sent: Unacknowledged[str] = Unacknowledged()
    sent.number("a", 10)
    sent.acknowledge(2)
    assert len(sent) == 1


def test_a_message_that_is_kept_can_give_way_to_a_newer_one() -> None:
    sent: Unacknowledged[str] = Unacknowledged()
    sent.number("old", 10, "key")
    sent.replace(1, "newer", 30)
    assert [(number, kept.message) for number, kept in sent] == [(1, "newer")]
    assert sent.size == 30
    sent.acknowledge(1)
    assert sent.size == 0


def test_a_number_that_leaves_too_many_missing_is_refused() -> None:
    received = Received(64)
    with pytest.raises(ParseError, match="number 66"):
        received.take(66)
    assert received.take(65)
    assert len(received.missing) == 64


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_message_arrives_exactly_once_over_connections_that_are_cut(data: st.DataObject) -> None:
    """Up to four messages are on their way at a time and may overtake one another; each connection loses a random part
    of what is on its way, and of the acknowledgements."""
    sent: Unacknowledged[int] = Unacknowledged()
    received = Received(8)
    delivered: list[int] = []
    made = 0
    for _ in range(data.draw(st.integers(1, 6), label="connections")):
        again = [(number, kept.message) for number, kept in sent]
        flight: list[tuple[int, int]] = []
        for _ in range(data.draw(st.integers(0, 20), label="steps")):
            if len(flight) < 4:
                if again:
                    flight.append(again.pop(0))
                else:
                    flight.append((sent.number(made, 1), made))
                    made += 1
            if data.draw(st.booleans(), label="arrives"):
                number, message = flight.pop(data.draw(st.integers(0, len(flight) - 1), label="which"))
                if received.take(number):
                    delivered.append(message)
            if data.draw(st.booleans(), label="acknowledged"):
                sent.acknowledge(received.last, received.missing)
        sent.acknowledge(received.last, received.missing)  # what both sides say at a return
    for number, kept in sent:
        if received.take(number):
            delivered.append(kept.message)
    assert sorted(delivered) == list(range(made))
