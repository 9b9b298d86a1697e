"""Typed arrays on the wire (docs/protocol/extensions.md, ARR), and the buffers of application values.

NumPy is never imported for sending, and for receiving only once an array has arrived.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wslink.errors import ParseError
from wslink.wire.frames import Buffer
from wslink.wire.unsendable import Unsendable
from wslink.wire.value import Value

if TYPE_CHECKING:
    import numpy

EXT_TYPE = 1  # ARR-1
SHARE_ABOVE = 64 * 1024
"""Read-only buffers and arrays of at least this many bytes are sent without a copy; smaller ones are copied."""
ALIGN_ABOVE = 1024  # ARR-4
ALIGNMENT = 16
ALIGNED_OFFSET = 4
MAX_DIMENSIONS = 32

ITEM_SIZES = {f"{'|' if size == 1 else '<'}{kind}{size}": size for kind, size in (
    ("b", 1), ("i", 1), ("u", 1), ("i", 2), ("u", 2), ("f", 2), ("i", 4), ("u", 4), ("f", 4),
    ("i", 8), ("u", 8), ("f", 8), ("c", 8), ("c", 16),
)}  # fmt: skip
"""Bytes per element of every dtype of ARR-3."""


class RawArray(NamedTuple):
    """An array that was received without NumPy installed.

    Attributes:
        dtype: as in NumPy's `dtype.str`, such as "<f4".
        shape: the dimensions.
        data: the elements, in C order, little-endian.
    """

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def is_array(value: Value) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def frozen(value: Buffer) -> Buffer:
    """Return `value` as bytes that may wait to be sent: copied, unless it is read-only and has SHARE_ABOVE bytes or
    more."""
    if type(value) is bytes:
        return value
    view = memoryview(value)
    if view.readonly and view.c_contiguous and view.nbytes >= SHARE_ABOVE:
        return view if view.format == "B" and view.ndim == 1 else view.cast("B")
    return view.tobytes()


def array_bytes(array: numpy.ndarray[Value, Value]) -> tuple[str, memoryview]:
    """Return the dtype and the elements of `array` in C order, as bytes that may wait to be sent.

    A read-only C-ordered array of SHARE_ABOVE bytes or more is not copied; any other is copied once.

    Raises:
        NotSerializable: its dtype is not one of ARR-3, or elements are masked.
    """
    import numpy

    if isinstance(array, numpy.ma.MaskedArray) and numpy.ma.is_masked(array):
        raise Unsendable("an array with masked elements", "; send array.filled(...), or its data and its mask", array)
    if array.dtype.kind in "mM":
        advice = "; send array.astype('i8') and its unit, or array.tolist() of array.astype('M8[ms]' or 'm8[ms]')"
        raise Unsendable(f"an array of dtype {array.dtype}", advice, array)
    plain = numpy.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    if plain.dtype.str not in ITEM_SIZES:
        raise Unsendable(f"an array of dtype {array.dtype}", f"; allowed: {', '.join(ITEM_SIZES)}", array)
    if plain.nbytes < SHARE_ABOVE:
        return plain.dtype.str, memoryview(plain.tobytes())
    if array.flags.writeable and numpy.may_share_memory(plain, array):
        plain = plain.copy()
    return plain.dtype.str, plain.reshape(-1).view(numpy.uint8).data.toreadonly()


def array_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The head of the extension's payload (ARR-2): its length, dtype and dimensions."""
    head = msgspec.msgpack.encode([dtype, *shape])
    return bytes((len(head),)) + head


def padding(offset: int) -> bytes:
    """The zeros that align elements at `offset` in the message (ARR-4)."""
    return bytes((ALIGNED_OFFSET - offset) % ALIGNMENT)


def unpack_array(payload: memoryview, *, copy: bool = False) -> Value:
    """Return the array in an extension's payload: a read-only `numpy.ndarray` view of it, or a RawArray without NumPy.

    Args:
        copy: whether to view a copy of the elements, which is aligned wherever the payload is.

    Raises:
        ParseError: the payload violates ARR-2, ARR-3 or ARR-5.
    """
    dtype, shape = _parse_head(payload)
    size = math.prod(shape) * ITEM_SIZES[dtype]
    room = len(payload) - 1 - payload[0] - size
    if not 0 <= room < ALIGNMENT:
        raise ParseError(f"an array of shape {list(shape)} and dtype {dtype} does not fit its {len(payload)} bytes")
    data = payload[len(payload) - size :]
    if copy:
        data = memoryview(bytes(data))
    try:
        import numpy
    except ImportError:
        return RawArray(dtype, shape, data)
    if size == 0:
        try:
            return numpy.empty(shape, dtype)
        except ValueError as error:
            raise ParseError(f"an array of shape {list(shape)} is beyond what this side can hold") from error
    return numpy.frombuffer(data.toreadonly(), dtype).reshape(shape)


def _parse_head(payload: memoryview) -> tuple[str, tuple[int, ...]]:
    try:
        head = msgspec.msgpack.decode(payload[1 : 1 + payload[0]])
    except (msgspec.DecodeError, IndexError, UnicodeDecodeError, RecursionError):
        head = None
    if not isinstance(head, list) or not head or not isinstance(head[0], str) or head[0] not in ITEM_SIZES:
        raise ParseError(f"an array must begin with a list of its dtype and shape; dtypes: {', '.join(ITEM_SIZES)}")
    dtype, *shape = head
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**32 for n in shape):
        raise ParseError(f"an array has at most {MAX_DIMENSIONS} dimensions, each from 0 to 2^32-1")
    return dtype, tuple(shape)
