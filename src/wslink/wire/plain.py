"""Conversion of values that the encoders do not support."""

from __future__ import annotations

import datetime
import sys
from collections import deque
from collections.abc import Callable, Mapping

from wslink.errors import NotSerializable
from wslink.wire.maps import KEYS
from wslink.wire.unsendable import of_type
from wslink.wire.value import Value

_BASES: tuple[Callable[[Value], Value], ...] = (str, int, float, bytes, bytearray, list, tuple)


def to_plain(value: Value) -> Value:
    """Convert `value` to a type that the encoders support: NumPy scalars, dates of NumPy and pandas, subclasses of
    built-in types, mappings, deques.

    Raises:
        NotSerializable: it is of any other type, which the message names.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        if value.dtype.kind in "mM":
            return _numpy_date(value)
        item = value.item()
        if not isinstance(item, numpy.generic):  # a longdouble has no plain form
            return item
    for base in _BASES:
        if isinstance(value, base):  # type: ignore[arg-type]
            return base(value)
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return _date(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, deque):
        return list(value)
    if hasattr(type(value), "model_dump"):  # a model of pydantic's
        return value.model_dump(by_alias=True)
    raise of_type(value)


def _date(value: Value) -> Value:
    """Convert a subclass of a date or duration type, such as pandas.Timestamp, to the type itself. Precision beyond
    microseconds is kept, as text; values that are not a time (pandas.NaT) become None."""
    if value != value:
        return None
    nanoseconds = getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0)
    if isinstance(value, datetime.timedelta):
        plain = datetime.timedelta(value.days, value.seconds, value.microseconds)
        return plain if not nanoseconds else _duration(plain // _MICROSECOND * 1000 + nanoseconds)
    if nanoseconds:
        return value.isoformat()
    if isinstance(value, datetime.datetime):
        clock = (value.hour, value.minute, value.second, value.microsecond, value.tzinfo)
        return datetime.datetime(value.year, value.month, value.day, *clock, fold=value.fold)
    if isinstance(value, datetime.time):
        return datetime.time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)
    return datetime.date(value.year, value.month, value.day)


_MICROSECOND = datetime.timedelta(microseconds=1)


def _duration(nanoseconds: int) -> str:
    """An ISO 8601 duration, in the format of the encoders."""
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{'-' if nanoseconds < 0 else ''}PT{seconds}.{rest:09d}".rstrip("0").rstrip(".") + "S"


def _numpy_date(value: Value) -> Value:
    """Convert a datetime64 or timedelta64 to the type of the standard library, or to text if that lacks the precision
    or the range. Not-a-time becomes None."""
    import numpy

    if numpy.isnat(value):
        return None
    unit = numpy.datetime_data(value.dtype)[0]
    if value.dtype.kind == "m" and unit in ("Y", "M", "generic"):
        raise NotSerializable(f"a timedelta64 in {_UNITS[unit]} cannot be sent: it has no fixed length")
    item = value.item()
    if isinstance(item, (datetime.date, datetime.timedelta)):
        return item
    if value.dtype.kind == "M":
        coarse = value.astype("M8[us]")
        return coarse.item() if coarse == value and not isinstance(coarse.item(), int) else str(value)
    return _exact_duration(value, unit)


_UNITS = {"Y": "years", "M": "months", "generic": "no unit"}
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "D": 86400, "W": 7 * 86400}


def _exact_duration(value: Value, unit: str) -> Value:
    import numpy

    count = int(value.astype("i8")) * int(numpy.datetime_data(value.dtype)[1])
    nanoseconds, rest = divmod(count * _SECONDS.get(unit, 1) * 10**9, _PER_SECOND.get(unit, 1))
    if rest:
        raise NotSerializable(f"a timedelta64 of {value} cannot be sent: it is finer than nanoseconds")
    microseconds, rest = divmod(nanoseconds, 1000)
    if rest or abs(microseconds) > _LONGEST:
        return _duration(nanoseconds)
    return datetime.timedelta(microseconds=microseconds)


_LONGEST = datetime.timedelta.max // _MICROSECOND


TOO_DEEP = "a value that is nested too deeply, or that holds itself, cannot be sent"


def not_serializable(error: Exception) -> NotSerializable:
    """Convert an exception of an encoder to a NotSerializable for the caller."""
    if isinstance(error, RecursionError) or str(error) == "Circular reference detected":  # json's
        return NotSerializable(TOO_DEEP)
    return NotSerializable(str(error) or repr(error))


_ALLOWED = "strings, numbers, booleans or None"


def wrong_key(value: Value, allowed: frozenset[type] = KEYS) -> str:
    """The error message for a map with a key that peers cannot represent. Names the key's type if it is found."""
    stack: list[Value] = [value]
    for node in stack:
        if isinstance(node, Mapping):
            if (kind := next((type(key) for key in node if type(key) not in KEYS), None)) is not None:
                return f"a map with a key of type {kind.__name__} cannot be sent; keys are {_ALLOWED}"
            stack.extend(node.values())
        elif isinstance(node, (list, tuple)):
            stack.extend(node)
    return f"a map with another key than {_ALLOWED} cannot be sent"
