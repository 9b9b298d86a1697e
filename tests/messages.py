"""Both protocol versions as bytes, for every test peer, written against docs/protocol/.

It knows neither the package nor a socket, so that it serves tests of released packages too.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

HEADER = struct.Struct("<III")
"""Of a chunk (G2-2): the message's id, the offset, the total."""
ATTACHMENT = "wslink.binary.attachment"

_ids = itertools.count(1)


def chunk(part: bytes, offset: int = 0, total: int | None = None, id_: int | None = None) -> bytes:
    """One frame of version 2; a whole message unless said otherwise."""
    number = next(_ids) & 0xFFFFFFFF if id_ is None else id_
    return HEADER.pack(number, offset, len(part) if total is None else total) + part


def chunks(packed: bytes, size: int, id_: int | None = None) -> Iterator[bytes]:
    """The frames of a message of version 2, each of at most `size` bytes."""
    number = next(_ids) & 0xFFFFFFFF if id_ is None else id_
    step = size - HEADER.size
    for offset in range(0, len(packed), step):
        yield chunk(packed[offset : offset + step], offset, len(packed), number)


class Chunks:
    """Puts messages of version 2 together again.

    Attributes:
        ended: messages that their sender ended before they were whole (CAN-3).
    """

    def __init__(self) -> None:
        self.ended = 0
        self._partial: dict[int, dict[int, bytes]] = {}

    def add(self, frame: bytes) -> Any:
        """The message that the frame completes, or None."""
        id_, offset, total = HEADER.unpack_from(frame)
        if len(frame) == HEADER.size and offset == total > 0:
            self._partial.pop(id_, None)
            self.ended += 1
            return None
        parts = self._partial.setdefault(id_, {})
        parts[offset] = frame[HEADER.size :]
        if sum(map(len, parts.values())) < total:
            return None
        del self._partial[id_]
        return msgpack.unpackb(b"".join(parts[at] for at in sorted(parts)), strict_map_key=False)


class Attachments:
    """Puts messages of version 1 together again: text, and the binary values that were announced for it.

    Attributes:
        count: binary values that have come.
    """

    def __init__(self) -> None:
        self.count = 0
        self._announced: deque[str] = deque()
        self._values: dict[str, bytes] = {}

    def add(self, frame: str | bytes) -> Any:
        """The message that a frame is, or None."""
        if isinstance(frame, bytes):
            self._values[self._announced.popleft()] = frame
            self.count += 1
            return None
        message = json.loads(frame)
        if message.get("method") == ATTACHMENT:
            self._announced.extend(message["args"])
            return None
        return self.resolve(message)

    def resolve(self, value: Any) -> Any:
        """`value` with binary values in the places of their keys."""
        if isinstance(value, str):
            return self._values.get(value, value)
        return rebuilt(value, self.resolve)


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with `change` applied to the parts of a list or dictionary."""
    if isinstance(value, (list, tuple)):
        return [change(part) for part in value]
    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}
    return value
