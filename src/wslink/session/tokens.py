"""The sessions of a server by their clients' tokens (RES-7)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Generic, Protocol, TypeVar

from wslink.session.resumption import EXPIRED, RESTARTED, Resumption

MAX_VERDICTS = 8192
"""Tokens that count no more and of which it is known why; others are those of a server that has restarted."""


class Holder(Protocol):
    """A session that its client may return to."""

    @property
    def resumption(self) -> Resumption | None: ...


HolderT = TypeVar("HolderT", bound=Holder)


class Tokens(Generic[HolderT]):
    """Finds sessions by token. Tokens are compared in constant time; of those that are void the hashes are kept."""

    def __init__(self) -> None:
        self._holders: dict[bytes, HolderT] = {}
        self._verdicts: dict[bytes, str] = {}  # the oldest first

    def __len__(self) -> int:
        """Tokens that count."""
        return len(self._holders)

    def add(self, token: str, holder: HolderT) -> None:
        """Let `token` lead to `holder`."""
        self._holders[_digest(token)] = holder

    def void(self, token: str, verdict: str = EXPIRED) -> None:
        """Let `token` lead nowhere from now on."""
        digest = _digest(token)
        if token and self._holders.pop(digest, None) is not None:
            self._verdicts[digest] = verdict
            if len(self._verdicts) > MAX_VERDICTS:
                del self._verdicts[next(iter(self._verdicts))]

    def find(self, token: str) -> HolderT | str:
        """The session to which `token` leads, or why it leads to none (RES-1)."""
        digest = _digest(token)
        holder = self._holders.get(digest)
        resumption = holder.resumption if holder is not None else None
        if holder is None or resumption is None:
            return self._verdicts.get(digest, RESTARTED)
        given = token.encode(errors="replace")
        known = [hmac.compare_digest(given, one.encode()) for one in (resumption.token, resumption.previous)]
        return holder if any(known) else EXPIRED


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()[:16]
