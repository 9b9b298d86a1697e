"""Type hints for arrays: NumPy's own, and `Annotated[np.ndarray, Array("<f4", "n", 3)]`."""

from __future__ import annotations

import sys
import threading
import types
import typing
from collections.abc import Iterable, Mapping

import msgspec

from wslink.errors import UsageError
from wslink.rpc.converters import (
    UNIONS,
    Hint,
    Unsupported,
    convert,
    converter,
    expected_not,
    name_of,
    origin_of,
    without_names,
)
from wslink.wire.arrays import ITEM_SIZES, MAX_DIMENSIONS, RawArray
from wslink.wire.value import Value


class Array:
    """The dtype and shape of an array, as an annotation of its type: `Annotated[np.ndarray, Array("<f4", "n", 3)]`.

    Arrays are checked when they arrive, and results in debug mode. If NumPy is not installed, they arrive as
    `wslink.RawArray`, which may also be used instead of `np.ndarray`, as may `Any`.

    Args:
        dtype: a `dtype.str` of NumPy: `"<f4"`, `"|u1"`, `"<i8"` and the like; "" for any.
        shape: the length of each dimension, a symbol, or None for any length. A symbol has the same length in all
            arrays of a call. Without any dimension, arrays of every shape are accepted.

    Raises:
        UsageError: the dtype cannot be sent, or a dimension is none of these.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: str, *shape: int | str | None) -> None:
        if dtype not in ITEM_SIZES and dtype != "":
            raise UsageError(f"Array: dtype {dtype!r}: one of {', '.join(ITEM_SIZES)}")
        for length in shape:
            symbol = isinstance(length, str) and length.isidentifier()
            if length is not None and not symbol and (type(length) is not int or length < 0):
                raise UsageError(f"Array: dimension {length!r}: a length, a symbol such as 'n', or None for any length")
        if len(shape) > MAX_DIMENSIONS:
            raise UsageError(f"Array: {len(shape)} dimensions, over {MAX_DIMENSIONS}")
        self.dtype: str = dtype
        self.shape: tuple[int | str | None, ...] = shape

    def __repr__(self) -> str:
        return f"Array({', '.join(map(repr, (self.dtype, *self.shape)))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and (self.dtype, self.shape) == (other.dtype, other.shape)

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))

    def __str__(self) -> str:
        return f"{self.dtype or 'any dtype'}{f' {_shown(self.shape)}' if self.shape else ''}"


Int64: typing.TypeAlias = typing.Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An int that JavaScript receives as a bigint, as its numbers are exact up to 2^53 only. The same applies to any int
whose declared bounds are beyond that."""

NO_LENGTHS: Mapping[str, int] = types.MappingProxyType({})


class Dimensions(threading.local):
    """The lengths of symbols in the call whose values are being checked.

    Attributes:
        known: by symbol; set to NO_LENGTHS before the values of a call are checked.
    """

    known: Mapping[str, int] = NO_LENGTHS


dims: Dimensions = Dimensions()


def array_hint(array: Array, base: Hint) -> Hint:
    """Return a converter for `Annotated[base, array]`. Raises Unsupported if `base` is not an array type."""
    base = without_names(base)
    kind = origin_of(base) or base
    if is_numpy(kind) and kind.__name__ == "ndarray":
        plain = numpy_hint(base, typing.get_args(base))
    elif kind is typing.Any or kind is RawArray:
        plain = kind
    else:
        raise Unsupported(f"{array!r} describes numpy.ndarray, wslink.RawArray or Any, not {name_of(base)}")

    def check(value: Value) -> Value:
        return _fit(array, _as_raw(value) if plain is RawArray else convert(value, plain))

    return converter(f"an array {array}", check)


def _as_raw(value: Value) -> Value:
    if isinstance(value, RawArray) or not is_numpy(type(value)):
        return value
    import numpy

    plain = numpy.ascontiguousarray(value)
    return RawArray(plain.dtype.str, value.shape, plain.reshape(-1).view(numpy.uint8).data)


def _fit(array: Array, value: Value) -> Value:
    """Return `value` if it matches `array`. Raises ValueError."""
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is None or not isinstance(shape, tuple):
        raise expected_not(f"an array {array}", value)
    dtype = dtype if isinstance(dtype, str) else dtype.newbyteorder("<").str
    found = f"`{dtype} {list(shape)}`"
    if array.dtype not in ("", dtype) or (array.shape and len(array.shape) != len(shape)):
        raise ValueError(f"Expected an array `{array}`, got {found}")
    known = dict(dims.known)
    for wanted, length in zip(array.shape, shape, strict=False):
        if isinstance(wanted, str) and known.setdefault(wanted, length) != length:
            raise ValueError(f"Expected an array `{array}` where {wanted} is {known[wanted]}, got {found}")
        if isinstance(wanted, int) and wanted != length:
            raise ValueError(f"Expected an array `{array}`, got {found}")
    dims.known = known
    return value


def is_numpy(kind: Hint) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(kind, type) and issubclass(kind, (numpy.ndarray, numpy.generic))


def numpy_hint(hint: Hint, args: tuple[Hint, ...]) -> Hint:
    import numpy

    if isinstance(hint, type) and issubclass(hint, numpy.generic):
        return _scalar(hint)
    scalars, shape = scalar_types(args) or (numpy.generic,), shape_of(args)
    if scalars == (numpy.generic,) and shape is None:
        return origin_of(hint) or hint
    names = " | ".join(kind.__name__ for kind in scalars)

    def check(value: Value) -> Value:
        if not isinstance(value, numpy.ndarray):
            raise expected_not("numpy.ndarray", value)
        if not issubclass(value.dtype.type, scalars):
            raise ValueError(f"Expected an array of `{names}`, got one of `{value.dtype}`")
        if shape is not None and not _fits(shape, value.shape):
            raise ValueError(f"Expected an array of shape `{_shown(shape)}`, got one of `{list(value.shape)}`")
        return value

    return converter(f"an array of {names}", check)


def scalar_types(args: tuple[Hint, ...]) -> tuple[Hint, ...]:
    """The scalar types in the arguments of `np.ndarray[shape, np.dtype[...]]`; none if any type is allowed."""
    import numpy

    kinds = [typing.get_args(arg)[0] for arg in args[1:] if typing.get_args(arg)]
    members = [without_names(kind) for kind in _members(kinds[0])] if kinds else []
    scalars = tuple(origin_of(member) or member for member in members)
    return scalars if numpy.generic not in scalars and all(map(is_numpy, scalars)) else ()


def shape_of(args: tuple[Hint, ...]) -> tuple[int | None, ...] | None:
    """The lengths in the arguments of `np.ndarray[tuple[int, Literal[3]], ...]`: None for any length. None instead of a
    tuple if any shape is allowed."""
    shape = without_names(args[0]) if args else None
    lengths = typing.get_args(shape)
    if origin_of(shape) is not tuple or any(one is Ellipsis or _is_unpacked(one) for one in lengths):
        return None
    return tuple(_length_of(one) for one in lengths if one != ())  # in Python 3.10, () stands for no items


def _is_unpacked(hint: Hint) -> bool:
    """Whether it stands for any number of lengths, like `*tuple[int, ...]`."""
    return getattr(hint, "__unpacked__", False) or str(origin_of(hint)).endswith(".Unpack")


def _length_of(hint: Hint) -> int | None:
    values = typing.get_args(hint) if origin_of(hint) is typing.Literal else ()
    return values[0] if len(values) == 1 and type(values[0]) is int else None


def _fits(shape: tuple[int | None, ...], lengths: tuple[int, ...]) -> bool:
    return len(shape) == len(lengths) and all(a in (None, b) for a, b in zip(shape, lengths, strict=True))


def _shown(shape: tuple[int | str | None, ...]) -> str:
    return f"[{', '.join('any' if one is None else str(one) for one in shape)}]"


def _members(hint: Hint) -> tuple[Hint, ...]:
    return typing.get_args(hint) if origin_of(hint) in UNIONS else (hint,)


def _scalar(kind: Hint) -> Hint:
    """A NumPy scalar. The number has to be in the range of the type; it may lose precision."""
    import numpy

    wanted = {"b": bool, "i": int, "u": int, "f": float}.get(numpy.dtype(kind).kind) if kind in _concrete() else None
    if wanted is None:
        raise Unsupported(f"no client can send a {kind.__name__}; use a plain number, text or an array")

    def check(value: Value) -> Value:
        plain = convert(value, wanted)
        try:
            return numpy.array(plain).astype(kind)[()] if wanted is not int else numpy.asarray(plain, kind)[()]
        except OverflowError:
            raise ValueError(f"Expected `{kind.__name__}`, got {plain}, which is out of its range") from None

    return converter(kind.__name__, check)


def _concrete() -> Iterable[Hint]:
    import numpy

    return numpy.sctypeDict.values()
