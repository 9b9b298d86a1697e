"""Streams of a call's items, in both directions, within the credit that their readers grant (STR)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from wslink.errors import InvalidParams, InvalidRequest, LimitExceeded
from wslink.wire.extensions import ITEM, ITEM_CREDIT, ITEM_END, number
from wslink.wire.messages import MAX_ID, is_id
from wslink.wire.show import shown
from wslink.wire.value import Value

AHEAD = 4 * 1024 * 1024
"""Bytes of items that may be in flight to a reader that did not choose a window."""
FIRST_WINDOW = 4
"""Items that such a reader requests before it knows their size."""
MIN_WINDOW = 2
MAX_WINDOW = 64
"""The most items that it requests at a time, since the next ones may be larger."""


class Port(Protocol):
    """The end of a connection that carries streams."""

    def encoded_item(self, items: Sequence[Value]) -> Value:
        """A message of a stream, encoded now, for `send_item`. From any thread. Raises NotSerializable."""

    def send_item(self, items: Sequence[Value], lane: int | None, encoded: Value = None) -> None:
        """Send a message of a stream, after those of its call. Raises NotSerializable."""

    def send_credit(self, items: Sequence[Value]) -> None:
        """Send a credit ahead of waiting messages. It may get lost, since `Streams.renew` repeats it."""

    @property
    def has_room(self) -> bool:
        """Whether more may be sent without much waiting for the line."""

    async def room_again(self) -> None:
        """Wait until `has_room` may be true."""


class Outlet:
    """The items that this end sends.

    Args:
        port: carries them.
        address: the id of the call, and the key of the argument if it is one.
        credit: the number of items that may be sent (STR-2).
        most: how far the credit may be ahead of what was sent (LIM-19).
        lane: see SendQueue.put.

    Attributes:
        sent: how many items were sent.
    """

    __slots__ = ("_address", "_changed", "_credit", "_error", "_lane", "_most", "_port", "check", "sent")

    def __init__(
        self, port: Port, address: tuple[str, int | None], credit: int, most: int, lane: int | None = None
    ) -> None:
        self.sent: int = 0
        self.check: Callable[[Value], None] | None = None
        """Raises NotSerializable for an item that does not match its type hint, in debug mode."""
        self._port = port
        self._address = address
        self._credit = credit
        self._most = most
        self._lane = lane
        self._changed = asyncio.Event()
        self._error: Exception | None = None

    @property
    def room(self) -> int:
        """How many items may be sent now."""
        return self._credit - self.sent if self._error is None and self._port.has_room else 0

    async def wait(self) -> None:
        """Wait until there is room.

        Raises:
            PeerError: the reader granted a credit that is not allowed.
        """
        while not self.room:
            if self._error is not None:
                raise self._error
            if self.sent < self._credit:
                await self._port.room_again()
            else:
                self._changed.clear()
                await self._changed.wait()

    def grant(self, credit: int) -> None:
        """The reader allows items whose numbers are below `credit`. A lower credit than before is ignored."""
        if credit > self.sent + self._most:
            why = f"a credit of {credit} is more than max_stream_window ({self._most}) ahead of {self.sent} items sent"
            self.fail(LimitExceeded(why))
        elif credit > self._credit:
            self._credit = credit
            self._changed.set()

    def fail(self, error: Exception) -> None:
        """Stop sending. Whoever waits raises `error`."""
        self._error = error
        self._changed.set()

    def send(self, value: Value) -> None:
        """Send the next item. Raises NotSerializable."""
        if self.check is not None:
            self.check(value)
        self._port.send_item(self._item(value, self.sent), self._lane)
        self.sent += 1

    def encoded(self, value: Value, number: int) -> Value:
        """The item of that number as `send_encoded` takes it: its maker may change it afterwards. From any thread.
        Raises NotSerializable."""
        if self.check is not None:
            self.check(value)
        return self._port.encoded_item(self._item(value, number))

    def send_encoded(self, encoded: Value) -> None:
        """Send the next item."""
        self._port.send_item(self._item(None, self.sent), self._lane, encoded)
        self.sent += 1

    def _item(self, value: Value, number: int) -> Sequence[Value]:
        id_, key = self._address
        return (ITEM, id_, number, value) if key is None else (ITEM, id_, number, value, key)

    def end(self, error: dict[str, Value] | None = None) -> None:
        """Send that an argument has ended (STR-4)."""
        id_, key = self._address
        self._port.send_item((ITEM_END, id_, self.sent, error, key), self._lane)


class Inlet:
    """The items that the other end sends: an async iterator over them, in order.

    Args:
        port: carries the credit.
        address: the id of the call, and the key of the argument if it is one.
        most: the largest window (LIM-19).
        max_bytes: limit on items that were not read; a single one may be larger (LIM-3).
        window: items that may arrive before they are read; by default as many as fit in AHEAD bytes.
        check: converts an item for the reader. Raises PeerError.
    """

    __slots__ = (
        "_address", "_changed", "_check", "_credit", "_end", "_held", "_items", "_largest", "_max_bytes", "_most",
        "_over", "_port", "_taken", "_window",
    )  # fmt: skip

    def __init__(
        self,
        port: Port,
        address: tuple[str, int | None],
        most: int,
        max_bytes: int,
        window: int | None = None,
        check: Callable[[Value, int], Value] | None = None,
    ) -> None:
        self._port = port
        self._address = address
        self._most = max(min(most, MAX_WINDOW), 1)
        self._max_bytes = max_bytes
        self._window = window
        self._check = check
        self._held = 0
        self._items: dict[
            int, tuple[Value, int]
        ] = {}  # with their sizes; they may overtake each other on their way (LANE-2)
        self._taken = 0
        self._credit = window or 0
        self._largest = 0
        self._end: tuple[int, Exception | None] | None = None  # the number of items, and the error that follows them
        self._over = False
        self._changed = asyncio.Event()

    def __aiter__(self) -> Inlet:
        return self

    async def __anext__(self) -> Value:
        while not self._over:
            if self._taken in self._items:
                return self._take()
            if self._end is not None and self._end[0] <= self._taken:
                self._over = True
                if self._end[1] is not None:
                    raise self._end[1]
                break
            self._changed.clear()
            await self._changed.wait()
        raise StopAsyncIteration

    def _take(self) -> Value:
        value, size = self._items.pop(self._taken)
        self._taken += 1
        self._held -= size
        if self._check is not None:
            try:
                value = self._check(value, self._taken - 1)
            except BaseException:
                self.close()
                raise
        self.ask()
        return value

    def put(self, n: int, value: Value, size: int) -> None:
        """An item has arrived, in a message of `size` bytes. One that is not allowed ends the stream with an error for
        the reader."""
        if self._over or (self._end is not None and n >= self._end[0]):
            return
        if n >= self._credit:
            self.stop(LimitExceeded(f"item {n} is beyond the credit of {self._credit} items (STR-2)"))
        elif n < self._taken or n in self._items:
            self.stop(InvalidRequest(f"item {n} was sent twice"))
        elif self._items and self._held + size > self._max_bytes:
            self.stop(LimitExceeded(f"over max_message ({self._max_bytes} bytes) of items wait to be read (LIM-3)"))
        else:
            self._items[n] = value, size
            self._held += size
            self._largest = max(self._largest, size)
            self._changed.set()

    def finish(self, count: int, error: Exception | None = None) -> None:
        """There are `count` items in total, some of which may still arrive. `error`, if any, follows them."""
        if count > self._credit:
            self.stop(InvalidRequest(f"the stream has {count} items, beyond the credit of {self._credit} (STR-2)"))
        elif self._end is None:
            self._end = count, error
            self._changed.set()

    def stop(self, error: Exception | None = None) -> None:
        """No more items will arrive. `error`, if any, follows those that have arrived."""
        count = self._taken
        while count in self._items:
            count += 1
        if self._end is None or self._end[0] > count:
            self._end = count, error
            self._changed.set()

    def ask(self) -> None:
        """Grant more credit once half of the window is free."""
        window = self._window or self._fitting()
        credit = self._taken + window
        if self._end is None and not self._over and credit - self._credit >= max(window // 2, 1):
            self._credit = credit
            self.renew()

    def _fitting(self) -> int:
        if not self._taken:
            return min(FIRST_WINDOW, self._most)
        return min(max(AHEAD // max(self._largest, 1), MIN_WINDOW), self._most)

    def renew(self) -> None:
        """Send the credit again, since it may not have arrived (RES-2)."""
        if self._end is None and not self._over and self._credit:
            id_, key = self._address
            self._port.send_credit((ITEM_CREDIT, id_, self._credit, *(() if key is None else (key,))))

    def close(self) -> None:
        """Stop reading: what still arrives is dropped, and no more credit is granted."""
        self._over = True
        self._items.clear()
        self._changed.set()

    async def aclose(self) -> None:
        """Like `close`."""
        self.close()


class CallStreams:
    """The streams of one call at one end of it.

    Attributes:
        outlets: the streams that this end sends: the result (None), or arguments by their keys.
        inlets: the streams that it reads, likewise.
    """

    __slots__ = ("_table", "id", "inlets", "outlets")

    def __init__(self, table: Streams, id_: str) -> None:
        self._table = table
        self.id: str = id_
        self.outlets: dict[int | None, Outlet] = {}
        self.inlets: dict[int | None, Inlet] = {}

    def outlet(self, key: int | None, credit: int = 0, lane: int | None = None) -> Outlet:
        """Create a stream to send."""
        table = self._table
        made = self.outlets[key] = Outlet(table.port, (self.id, key), credit, table.max_window, lane)
        return made

    def inlet(
        self, key: int | None, window: int | None = None, check: Callable[[Value, int], Value] | None = None
    ) -> Inlet:
        """Create a stream to read. Raises InvalidParams if two arguments are the same stream."""
        if key in self.inlets:
            raise InvalidParams(f"two arguments are the stream {key} (STR-4)")
        made = self.inlets[key] = Inlet(
            self._table.port, (self.id, key), self._table.max_window, self._table.max_bytes, window, check
        )
        self._table.reading += 1
        return made

    def forget(self) -> None:
        """The call is over: what still arrives is ignored, and what has arrived may be read."""
        self._table.forget(self)

    def close(self) -> None:
        """Like `forget`, and stop reading."""
        self.forget()
        for inlet in self.inlets.values():
            inlet.close()


class Streams:
    """The streams at one end of a connection.

    Args:
        port: carries them.
        max_window: see Limits.max_stream_window.
        max_bytes: see Inlet.

    Attributes:
        reading: how many streams this end reads.
    """

    def __init__(self, port: Port, max_window: int, max_bytes: int) -> None:
        self.port: Port = port
        self.max_bytes: int = max_bytes
        self.max_window: int = max_window
        self.reading: int = 0
        self._calls: dict[str, CallStreams] = {}

    def open(self, id_: str) -> CallStreams:
        """Create the streams of the call `id_`. Raises InvalidRequest if there is a call with this id."""
        if id_ in self._calls:
            raise InvalidRequest(f"a call with streams of the id {shown(id_)} is under way")
        made = self._calls[id_] = CallStreams(self, id_)
        return made

    def of(self, id_: str) -> CallStreams:
        """Return the streams of a call of this end, which are created on first use."""
        return self._calls.get(id_) or self.open(id_)

    def forget(self, streams: CallStreams) -> None:
        """See CallStreams.forget."""
        if self._calls.pop(streams.id, None) is not None:
            self.reading -= len(streams.inlets)

    def take(self, items: Sequence[Value], size: int) -> None:
        """Handle a message of a stream, of `size` bytes. Messages of unknown streams are ignored.

        Raises:
            InvalidRequest: the message is malformed.
        """
        kind, id_ = items[0], items[1] if len(items) > 1 else None
        if not is_id(id_):
            raise InvalidRequest(f"the id of a call must be a string of at most {MAX_ID} characters")
        n = number(items, 2, "the number of items")
        at = 3 if kind == ITEM_CREDIT else 4
        if kind != ITEM_CREDIT and len(items) < 4:
            raise InvalidRequest("an item has a value, and the end of a stream an error or null")
        key = number(items, at, "the key of a stream") if len(items) > at else None
        call = self._calls.get(id_)
        if call is None:
            return
        if kind == ITEM_CREDIT:
            if (outlet := call.outlets.get(key)) is not None:
                outlet.grant(n)
        elif (inlet := call.inlets.get(key)) is not None:
            if kind == ITEM:
                inlet.put(n, items[3], size)
            elif key is not None:
                inlet.finish(n, _failure(items[3]))

    def renew(self) -> None:
        """Send all credits again, since the other end may not have received them (RES-2)."""
        for call in self._calls.values():
            for inlet in call.inlets.values():
                inlet.renew()

    def fail(self, error: Exception) -> None:
        """The connection has ended for good."""
        for call in list(self._calls.values()):
            for outlet in call.outlets.values():
                outlet.fail(error)
            for inlet in call.inlets.values():
                inlet.stop(error)


def _failure(error: Value) -> Exception | None:
    """The exception for the end of an argument."""
    if error is None:
        return None
    message = error.get("message") if isinstance(error, dict) else error
    return InvalidParams(f"the stream of an argument failed where it is sent: {shown(message)}")
