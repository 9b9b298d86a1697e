"""Sessions that wait for their clients' return (RES-6), by address."""

from __future__ import annotations

from wslink.session.view import SessionView


class Away:
    """Knows which of them makes room where there are too many: no address keeps those of others from returning."""

    def __init__(self) -> None:
        self._addresses: dict[SessionView, str] = {}
        self._of: dict[str, dict[SessionView, None]] = {}  # the one that has waited for longest first

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, session: SessionView, address: str) -> None:
        self._addresses[session] = address
        self._of.setdefault(address, {})[session] = None

    def discard(self, session: SessionView) -> None:
        """It is away no more. Safe to call for one that is not."""
        address = self._addresses.pop(session, None)
        if address is not None:
            del self._of[address][session]
            if not self._of[address]:
                del self._of[address]

    @property
    def first_to_go(self) -> SessionView:
        """Of the address of which most wait, the one that has waited for longest. Call it while there is one."""
        crowd: dict[SessionView, None] = max(self._of.values(), key=len)
        return next(iter(crowd))
