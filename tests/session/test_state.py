"""The states of a session are a table."""

from __future__ import annotations

import itertools

import pytest

from wslink.session.state import TRANSITIONS, Event, State, Stateful


class At(Stateful):
    def __init__(self, state: State) -> None:
        self.state = state


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_an_event_leads_where_the_table_says_or_is_a_fault(state: State, event: Event) -> None:
    session = At(state)
    if (state, event) in TRANSITIONS:
        session.advance(event)
        assert session.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=f"that is {state.value} cannot be {event.value}"):
            session.advance(event)
        assert session.state is state


def test_a_closed_session_stays_closed_and_every_state_can_be_reached() -> None:
    assert not [event for state, event in TRANSITIONS if state is State.CLOSED]
    assert {*TRANSITIONS.values(), State.NEW} == set(State)
