"""Detached sessions, which wait for their clients to return (RES-6), by IP address."""

from __future__ import annotations

from wslink.session.view import SessionView


class Away:
    """Decides which session has to go if there are too many, so that no address can prevent clients of others from
    returning."""

    def __init__(self) -> None:
        self._addresses: dict[SessionView, str] = {}
        self._of: dict[str, dict[SessionView, None]] = {}  # the longest waiting first

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, session: SessionView, address: str) -> None:
        self._addresses[session] = address
        self._of.setdefault(address, {})[session] = None

    def discard(self, session: SessionView) -> None:
        """The session is no longer detached. Safe to call for any session."""
        address = self._addresses.pop(session, None)
        if address is not None:
            del self._of[address][session]
            if not self._of[address]:
                del self._of[address]

    @property
    def first_to_go(self) -> SessionView:
        """The session that has waited longest, of the address with the most sessions. There has to be one."""
        crowd: dict[SessionView, None] = max(self._of.values(), key=len)
        return next(iter(crowd))
