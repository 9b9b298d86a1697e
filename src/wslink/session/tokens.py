"""The sessions of a server, by their clients' resumption tokens (RES-7)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from wslink.session.resumption import EXPIRED, RESTARTED, Resumption

MAX_VERDICTS = 8192
"""Void tokens whose reason is remembered. For others, the client is told that the server has restarted."""


class Holder(Protocol):
    """A session to which its client may return."""

    @property
    def resumption(self) -> Resumption | None: ...


HolderT = TypeVar("HolderT", bound=Holder)


class Tokens(Generic[HolderT]):
    """Finds sessions by token. Tokens are compared in constant time; only hashes of void tokens are kept."""

    def __init__(self) -> None:
        self._holders: dict[bytes, HolderT] = {}
        self._verdicts: dict[bytes, str] = {}  # the oldest first

    def __len__(self) -> int:
        """The number of valid tokens."""
        return len(self._holders)

    def add(self, token: str, holder: HolderT) -> None:
        """Map `token` to `holder`."""
        self._holders[digest(token)] = holder

    def adopt(self, digest: bytes, holder: HolderT) -> None:
        """Map a token to `holder` of which only the digest is known, since another worker issued it."""
        self._holders[digest] = holder

    def holder(self, digest: bytes) -> HolderT | None:
        """The session for the token with this digest."""
        return self._holders.get(digest)

    def release(self, digests: Iterable[bytes]) -> None:
        """Forget tokens whose session has moved to another worker."""
        for each in digests:
            self._holders.pop(each, None)

    def void(self, token: str, verdict: str = EXPIRED) -> None:
        """Make `token` invalid."""
        if token:
            self.void_digest(digest(token), verdict)

    def void_digest(self, digest: bytes, verdict: str = EXPIRED) -> None:
        """Like `void`, by the token's digest."""
        if self._holders.pop(digest, None) is not None:
            self._verdicts[digest] = verdict
            if len(self._verdicts) > MAX_VERDICTS:
                del self._verdicts[next(iter(self._verdicts))]

    def find(self, token: str) -> HolderT | str:
        """Return the session for `token`, or the reason why there is none (RES-1)."""
        found = digest(token)
        holder = self._holders.get(found)
        resumption = holder.resumption if holder is not None else None
        if holder is None or resumption is None:
            return self._verdicts.get(found, RESTARTED)
        if found in resumption.foreign:
            return holder
        given = token.encode(errors="replace")
        known = [hmac.compare_digest(given, one.encode()) for one in (resumption.token, resumption.previous)]
        return holder if any(known) else EXPIRED


def digest(token: str) -> bytes:
    """The digest that stands for a token where the token itself must not be stored."""
    return hashlib.sha256(token.encode(errors="replace")).digest()[:16]
