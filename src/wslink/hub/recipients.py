"""Explicit recipients of a publication, in addition to filters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from wslink.errors import UsageError


class Addressable(Protocol):
    """A client, or a group of clients."""

    @property
    def client_ids(self) -> tuple[str, ...]: ...


Recipients = str | Addressable
"""The id of a client, a Client, or a Group."""


def ids_of(recipients: Recipients | None) -> Collection[str] | None:
    """The ids of the recipients; None if there are no explicit ones. Raises UsageError for any other type."""
    if recipients is None:
        return None
    if isinstance(recipients, str):
        return (recipients,)
    try:
        return recipients.client_ids
    except AttributeError:
        raise UsageError(f"to, exclude: a client's id, a Client or a Group, not {recipients!r:.100}") from None
