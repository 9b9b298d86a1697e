"""Progress of the transfer of large arguments and results (`on_transfer`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from wslink.session.entries import Entry
from wslink.wire.chunks import HEADER, HEADER_LENGTH
from wslink.wire.frames import Buffer, Message
from wslink.wire.heads import packed_id

logger: logging.Logger = logging.getLogger("wslink.client")


class Transfer(NamedTuple):
    """The progress of the transfer of a call's message, in bytes.

    Attributes:
        sent: bytes of the call, while it is being sent; None for its response.
        received: bytes of the response, while it is arriving; None for the call.
        total: bytes of the complete message.
    """

    sent: int | None
    received: int | None
    total: int


OnTransfer = Callable[[Transfer], object]
"""Is told of each chunk that was sent or has arrived; what it raises is logged."""


def tell(on_transfer: OnTransfer, transfer: Transfer) -> None:
    try:
        on_transfer(transfer)
    except Exception:
        logger.exception("on_transfer raised")


class Sending:
    """A message that waits or is being sent, and the callback for its progress."""

    def __init__(self, entry: Entry, on_transfer: OnTransfer) -> None:
        self._entry = entry
        self._on_transfer = on_transfer
        self._sent = 0
        self._total = _total(entry.message)

    def look(self) -> bool:
        """Report progress, if there was any. Returns whether the transfer is complete."""
        entry = self._entry
        sent = self._total if entry.over else entry.cutter.offset if entry.cutter is not None else 0
        if sent > self._sent:
            self._sent = sent
            tell(self._on_transfer, Transfer(sent, None, self._total))
        return entry.over


def _total(message: Message) -> int:
    return message.size - HEADER_LENGTH if message.source is None else message.source.total


class Receiving:
    """The responses whose progress is reported, by the ids of their calls."""

    def __init__(self) -> None:
        self._calls: dict[str, OnTransfer] = {}
        self._under_way: dict[int, tuple[str, int]] = {}
        """The calls of responses that have begun to arrive, and how much has, by the id of the message."""

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, id_: str, on_transfer: OnTransfer) -> None:
        self._calls[id_] = on_transfer

    def remove(self, id_: str) -> None:
        """The call is over, whatever has arrived."""
        if self._calls.pop(id_, None) is not None:
            self._under_way = {number: known for number, known in self._under_way.items() if known[0] != id_}

    def arrived(self, frame: Buffer) -> None:
        """A chunk has arrived that does not complete a message."""
        number, offset, total = HEADER.unpack_from(frame)
        id_, received = self._under_way.get(number, ("", 0))
        if offset == 0:
            id_, received = packed_id(memoryview(frame)[HEADER_LENGTH:]) or "", 0
        on_transfer = self._calls.get(id_)
        if on_transfer is not None:
            received += len(frame) - HEADER_LENGTH
            self._under_way[number] = id_, received
            tell(on_transfer, Transfer(None, received, total))

    def completed(self, id_: str, frame: Buffer) -> None:
        """The last chunk of a response has arrived."""
        on_transfer = self._calls.get(id_)
        if on_transfer is not None:
            total = HEADER.unpack_from(frame)[2]
            self.remove(id_)
            tell(on_transfer, Transfer(None, total, total))
