"""The states of a session, and a table of the transitions between them."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """The state of a session."""

    NEW = "new"
    """Connected, but no successful hello yet: only hello is served."""
    OPEN = "open"
    """Authenticated and connected."""
    DETACHED = "detached"
    """Authenticated, without a connection, and to be resumed."""
    CLOSED = "closed"
    """Ended for good."""


class Event(enum.Enum):
    """An event that changes a session's state."""

    AUTHENTICATED = "authenticated"
    DETACHED = "detached"
    RESUMED = "resumed"
    ENDED = "ended"


# Hash in C. Members are compared by identity anyway.
State.__hash__ = Event.__hash__ = object.__hash__  # type: ignore[method-assign]

# Looked up once: in Python 3.11, access to a member is a function call.
NEW, OPEN, DETACHED, CLOSED = State

TRANSITIONS: dict[tuple[State, Event], State] = {
    (NEW, Event.AUTHENTICATED): OPEN,
    (NEW, Event.ENDED): CLOSED,
    (OPEN, Event.DETACHED): DETACHED,
    (OPEN, Event.ENDED): CLOSED,
    (DETACHED, Event.RESUMED): OPEN,
    (DETACHED, Event.ENDED): CLOSED,
}
"""All transitions."""


class Stateful:
    """Has a state that follows TRANSITIONS. Nothing else assigns `state`."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: State = NEW

    def advance(self, event: Event) -> None:
        """Make the transition for `event`.

        Raises:
            RuntimeError: there is no such transition from the current state, which is a bug in this library.
        """
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(f"a session that is {self.state.value} cannot be {event.value}") from None
