"""Whom a publication is for, beside what filters say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Addressable(Protocol):
    """A client, or a group of clients."""

    @property
    def client_ids(self) -> tuple[str, ...]: ...


Recipients = str | Addressable
"""The id of a client, a Client, or a Group."""


def ids_of(recipients: Recipients | None) -> Collection[str] | None:
    """The ids of the clients; None where nobody in particular is meant."""
    if recipients is None:
        return None
    return (recipients,) if isinstance(recipients, str) else recipients.client_ids
