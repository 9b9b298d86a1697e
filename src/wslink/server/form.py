"""The inspector's call form: makes calls from JSON arguments, and returns their results as JSON."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

import msgspec

from wslink.errors import CLIENT_ERROR, INVALID_PARAMS, CallError, MethodNotFound, NotSerializable
from wslink.observe.summary import whole
from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Dispatcher, Service
from wslink.rpc.streams import Streams
from wslink.waiting import within
from wslink.wire.arrays import ITEM_SIZES, MAX_DIMENSIONS, array_head, unpack_array
from wslink.wire.extensions import ITEM_CREDIT
from wslink.wire.messages import Request
from wslink.wire.value import Value

MAX_CALLS = 16
"""Calls that the form may have running at a time."""
MAX_ITEMS = 1000
"""Items of a stream that one call is given."""
WINDOW = 8
"""Items of a stream that may wait for the page."""
PATIENCE = 60.0
"""Seconds without a result, or an item, after which a call is cancelled."""
BYTES = "bytes"
FORMATS = {"b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "f2": "e", "i4": "i", "u4": "I", "f4": "f", "i8": "q",
           "u8": "Q", "f8": "d"}  # fmt: skip
"""Of `struct`, by kind and size of a dtype: those whose elements JSON has."""
ANY_DTYPE = "<f8"
"""That of an array whose description names none."""

Told = dict[str, Value]
"""JSON: `item` or `result` as text, or `error`."""


class CallRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request of the form.

    Attributes:
        arrays: for each argument that is an array, by position or name: its dtype ("" for any), or "bytes".
        stream: whether the method streams its result.
    """

    method: str
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    arrays: dict[str, str] = {}
    stream: bool = False


class Form:
    """The caller of the form's calls (rpc.call.Caller): an anonymous client, like all that authenticate by the
    secret."""

    id: str = "inspector"
    user: str = ""
    attributes: Mapping[str, Value] = {}
    groups: tuple[str, ...] = ()
    address: str

    def __init__(self, address: str) -> None:
        self.address = address

    def disconnect(self, reason: str = "") -> None:
        """Does nothing: the form has no connection."""

    async def call(
        self,
        method: str,
        /,
        *args: Value,
        timeout: float | None = None,
        on_progress: Callable[[Value], object] | None = None,
        **kwargs: Value,
    ) -> Value:
        raise CallError(CLIENT_ERROR, "the inspector's form cannot be called")


class Answer:
    """The receiver of a call's response (rpc.dispatcher.Responder, rpc.streams.Port).

    Args:
        streams: whether the call's result is a stream.
    """

    def __init__(self, streams: bool) -> None:
        self.streams: Streams | None = Streams(self, WINDOW, 0) if streams else None
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._ended = False

    async def next(self) -> Told:
        """Return the next item, or the result or error, which is the last one."""
        return await self._told.get()

    def result(self, id_: str, value: Value, method: str | None = None) -> None:
        try:
            self._end({"result": whole(value)})
        except (NotSerializable, TypeError, ValueError, RecursionError) as error:
            self.error(id_, CLIENT_ERROR, f"the result cannot be shown: {error}")

    def encoded(self, id_: str, value: Value, method: str) -> Value:
        return value

    def error(self, id_: str, code: int, message: str, data: Value = None, method: str | None = None) -> None:
        error: Told = {"code": code, "message": message}
        if data is not None:
            try:
                error["data"] = whole(data)
            except (NotSerializable, TypeError, ValueError, RecursionError):
                error["data"] = "which cannot be shown"
        self._end({"error": error})

    def _end(self, told: Told) -> None:
        if not self._ended:
            self._ended = True
            self._told.put_nowait(told)

    def unknown(self, request: Request) -> None:
        error = MethodNotFound("Method not found", request.method[:200])
        self.error(request.id, error.code, error.message, error.data)

    def reporter(self, call: Call) -> None:
        return None

    def full(self) -> None:
        """Does nothing: there is only one call."""

    def room(self) -> None:
        """Does nothing: there is only one call."""

    # Items of its stream ----------------------------------------------------------

    @property
    def has_room(self) -> bool:
        return True  # within the credit

    async def room_again(self) -> None:
        """Returns at once: there is always room."""

    def encoded_item(self, items: Sequence[Value]) -> str:
        try:
            return whole(items[3])
        except (TypeError, ValueError, RecursionError) as error:
            raise NotSerializable(f"it cannot be shown: {error}") from error

    def send_item(self, items: Sequence[Value], lane: int | None, encoded: str | None = None) -> None:
        self._told.put_nowait({"item": self.encoded_item(items) if encoded is None else encoded})

    def send_credit(self, items: Sequence[Value]) -> None:
        """Does nothing: the form reads no stream."""

    def grant(self, id_: str, items: int) -> None:
        """The page allows `count` more items of the stream."""
        if self.streams is not None:
            self.streams.take((ITEM_CREDIT, id_, items + WINDOW), 0)


class Calls:
    """The running calls of the form.

    Args:
        service: the server's.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._under_way = 0
        self._numbers = itertools.count()

    async def perform(self, body: bytes, address: str) -> AsyncGenerator[Told, None]:
        """Make the call that `body` asks for, as a client at `address` that authenticated by the secret. Closing the
        generator cancels the call.

        Yields:
            The items of a stream, at most MAX_ITEMS, and then the result or an error.
        """
        try:
            wanted = msgspec.json.decode(body, type=CallRequest)
            args, kwargs = _with_arrays(wanted)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            yield _error(INVALID_PARAMS, str(error))
            return
        if self._under_way >= MAX_CALLS:
            yield _error(CLIENT_ERROR, f"{MAX_CALLS} calls of this form are under way")
            return
        credit = WINDOW if wanted.stream else None
        request = Request(wanted.method, f"rpc:inspector:{next(self._numbers)}", args, kwargs, credit)
        answer = Answer(wanted.stream)
        dispatcher = Dispatcher(self._service, answer)
        self._under_way += 1
        try:
            dispatcher.start(request, Form(address))
            for given in range(MAX_ITEMS + 1):
                told = await within(answer.next(), PATIENCE)
                yield (
                    told
                    if "item" not in told or given < MAX_ITEMS
                    else _error(CLIENT_ERROR, f"it has more than {MAX_ITEMS} items, and is stopped")
                )
                if "item" not in told:
                    return
                answer.grant(request.id, given + 1)
        except asyncio.TimeoutError:
            yield _error(CLIENT_ERROR, f"it took longer than {PATIENCE:g} s, and is given up")
        finally:
            self._under_way -= 1
            dispatcher.leave()


def _error(code: int, message: str) -> Told:
    return {"error": {"code": code, "message": message}}


# Arrays as JSON -------------------------------------------------------------------


def _with_arrays(wanted: CallRequest) -> tuple[list[Value], dict[str, Value]]:
    """Return the arguments, with lists replaced by the arrays that they stand for. Raises ValueError."""
    args, kwargs = list(wanted.args), dict(wanted.kwargs)
    for key, dtype in wanted.arrays.items():
        place = int(key) if key.isdecimal() and int(key) < len(args) else None
        if place is None and key not in kwargs:
            raise ValueError(f"arrays: there is no argument {key!r}")
        value = args[place] if place is not None else kwargs[key]
        try:
            made = array_of(value, dtype)
        except (ValueError, TypeError, struct.error, OverflowError) as error:
            raise ValueError(f"argument {key}: {error}") from None
        if place is not None:
            args[place] = made
        else:
            kwargs[key] = made
    return args, kwargs


def array_of(value: Value, dtype: str) -> Value:
    """Convert a JSON value to an array or bytes: nested lists of numbers, or `{"dtype": ..., "data": ...}`. null stays
    null.

    Raises:
        ValueError, TypeError, struct.error, OverflowError: the value cannot be converted.
    """
    if value is None:
        return None
    if dtype == BYTES:
        return value.encode() if isinstance(value, str) else bytes(value)
    if isinstance(value, dict) and value.keys() == {"dtype", "data"}:
        value, dtype = value["data"], str(value["dtype"])
    dtype = dtype or ANY_DTYPE
    if dtype not in ITEM_SIZES or dtype[1:] not in FORMATS:
        raise ValueError(f"an array of dtype {dtype!r} cannot be written as JSON")
    shape, flat = _shape_of(value), [value]
    for _ in shape:
        flat = [one for part in flat for one in part]
    data = struct.pack(f"<{len(flat)}{FORMATS[dtype[1:]]}", *flat)
    return unpack_array(memoryview(array_head(dtype, shape) + data))


def _shape_of(value: Value) -> tuple[int, ...]:
    """Return the shape of nested lists. Raises ValueError if they are ragged."""
    shape: list[int] = []
    level = [value]
    while level and all(isinstance(one, list) for one in level):
        lengths = {len(one) for one in level}
        if len(lengths) > 1:
            raise ValueError(f"lists of dimension {len(shape)} differ in length: {sorted(lengths)}")
        shape.append(lengths.pop())
        if len(shape) > MAX_DIMENSIONS:
            raise ValueError(f"over {MAX_DIMENSIONS} dimensions")
        level = [inner for one in level for inner in one]
    if any(isinstance(one, (list, str, dict)) or one is None for one in level):
        raise ValueError("an array holds numbers, in lists of one depth")
    return tuple(shape)
