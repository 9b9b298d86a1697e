"""The states of a session and the transitions between them, as a table."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """The state of a session."""

    NEW = "new"
    """Connected, before a good hello: nothing but hello is served."""
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


# In C: members are compared by identity anyway.
State.__hash__ = Event.__hash__ = object.__hash__  # type: ignore[method-assign]

# Looked up once: in Python 3.11 each look at a member is a function call.
NEW, OPEN, DETACHED, CLOSED = State

TRANSITIONS: dict[tuple[State, Event], State] = {
    (NEW, Event.AUTHENTICATED): OPEN,
    (NEW, Event.ENDED): CLOSED,
    (OPEN, Event.DETACHED): DETACHED,
    (OPEN, Event.ENDED): CLOSED,
    (DETACHED, Event.RESUMED): OPEN,
    (DETACHED, Event.ENDED): CLOSED,
}
"""Every transition there is."""


class Stateful:
    """Something with a state that follows TRANSITIONS. Nothing else assigns `state`."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: State = NEW

    def advance(self, event: Event) -> None:
        """Go where `event` leads.

        Raises:
            RuntimeError: if it leads nowhere from here: a fault of this library.
        """
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(f"a session that is {self.state.value} cannot be {event.value}") from None
