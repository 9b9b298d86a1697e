"""Type hints of arrays by themselves: what they take, what they make of it, and what they say of the rest."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NewType

import msgspec
import numpy
import numpy.typing as npt
import pytest

from tests.rpc.checking import checked, told
from wslink import Array, RawArray, UsageError
from wslink.rpc.arrays import NO_LENGTHS, dims
from wslink.rpc.converters import Unsupported, convert
from wslink.rpc.hints import checkable

F4 = numpy.arange(6, dtype="<f4").reshape(2, 3)
DTYPES = "|b1, |i1, |u1, <i2, <u2, <i4, <u4, <i8, <u8, <f2, <f4, <f8, <c8, <c16"
ANY = "a length, a symbol such as 'n', or None for any length"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("<f4", -1), f"Array: dimension -1: {ANY}"),
        (("<f4", 3, "n m"), f"Array: dimension 'n m': {ANY}"),
        (("<f4", True), f"Array: dimension True: {ANY}"),
        (("<f4", 1.5), f"Array: dimension 1.5: {ANY}"),
        (("<f4", *range(33)), "Array: 33 dimensions, over 32"),
    ],
)
def test_what_describes_no_array_is_refused(arguments: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Array(*arguments)
    assert str(caught.value) == why


def test_every_dtype_that_travels_is_named_where_one_does_not() -> None:
    with pytest.raises(UsageError) as caught:
        Array("float")
    from wslink.wire.arrays import ITEM_SIZES

    assert str(caught.value) == f"Array: dtype 'float': one of {', '.join(ITEM_SIZES)}"


def test_arrays_are_compared_and_shown_by_dtype_and_shape() -> None:
    assert [str(one) for one in (Array("<f4", "n", None, 0), Array(""), Array("", 3), Array("<f4"))] == [
        "<f4 [n, any, 0]",
        "any dtype",
        "any dtype [3]",
        "<f4",
    ]
    assert repr(Array("<f4", "n", 3)) == "Array('<f4', 'n', 3)"
    assert repr(Array("")) == "Array('')"
    assert Array("<f4", 3) == Array("<f4", 3)
    assert hash(Array("<f4", 3)) == hash(Array("<f4", 3))
    assert Array("<f4", 3) != Array("<f4", 4)
    assert Array("<f4", 3) != Array("<f8", 3)
    assert Array("<f4") != "<f4"
    assert len(Array("<f4", *range(32)).shape) == 32


Named = NewType("Named", numpy.ndarray)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Annotated[numpy.ndarray, Array("<f4")], F4),
        (Annotated[numpy.ndarray, Array("<f4", 2, 3)], F4),
        (Annotated[numpy.ndarray, Array("<f4", None, "n")], F4),
        (Annotated[numpy.ndarray, Array("", 2, 3)], F4),
        (Annotated[Named, Array("<f4", 2, 3)], F4),
        (Annotated[npt.NDArray[numpy.float32], Array("", "n", 3)], F4),
        (Annotated[Any, Array("<f4", 2, 3)], F4),
        (Annotated[numpy.ndarray, Array("<f4", 2, 3)], F4.astype(">f4")),
        (Annotated[numpy.ndarray, "a note", Array("<f4", 2, 3)], F4),
        (npt.NDArray[numpy.float32] | npt.NDArray[numpy.float64], F4),
        (numpy.ndarray, F4),
        (npt.NDArray[Any], F4),
        (npt.NDArray[numpy.generic], F4),
        (numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float32]], F4),
        (numpy.ndarray[tuple[int, Literal[3]], numpy.dtype[Any]], F4),
        (numpy.ndarray[tuple[int, ...], numpy.dtype[Any]], F4),
        (numpy.ndarray[tuple[()], numpy.dtype[Any]], numpy.array(7)),
    ],
)
def test_an_array_that_fits_is_taken_as_it_is(hint: Any, value: Any) -> None:
    assert checked(value, hint) is value


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (Annotated[numpy.ndarray, Array("<f4", 2, 3)], [1.0], "Expected `ndarray`, got `list`"),
        (Annotated[Any, Array("<f4")], 7, "Expected `an array <f4>`, got `int`"),
        (Annotated[Any, Array("<f4")], numpy.dtype("f4"), "Expected `an array <f4>`, got `Float32DType`"),
        (Annotated[RawArray, Array("<f4")], b"x", "Expected `an array <f4>`, got `bytes`"),
        (Annotated[Any, Array("<f8", 2, 3)], F4, "Expected an array `<f8 [2, 3]`, got `<f4 [2, 3]`"),
        (Annotated[Any, Array("<f4", 2)], F4, "Expected an array `<f4 [2]`, got `<f4 [2, 3]`"),
        (Annotated[Any, Array("<f4", 2, 4)], F4, "Expected an array `<f4 [2, 4]`, got `<f4 [2, 3]`"),
        (
            Annotated[Any, Array("", "n", "n")],
            F4,
            "Expected an array `any dtype [n, n]` where n is 2, got `<f4 [2, 3]`",
        ),
        (npt.NDArray[numpy.float64], F4, "Expected an array of `float64`, got one of `float32`"),
        (npt.NDArray[numpy.float64], [1.0], "Expected `numpy.ndarray`, got `list`"),
        (npt.NDArray[numpy.int8 | numpy.int16], F4, "Expected an array of `int8 | int16`, got one of `float32`"),
        (
            numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]],
            F4,
            "Expected an array of shape `[any]`, got one of `[2, 3]`",
        ),
        (
            numpy.ndarray[tuple[Literal[2], Literal[4]], numpy.dtype[Any]],
            F4,
            "Expected an array of shape `[2, 4]`, got one of `[2, 3]`",
        ),
        (
            numpy.ndarray[tuple[()], numpy.dtype[Any]],
            F4,
            "Expected an array of shape `[]`, got one of `[2, 3]`",
        ),
        (numpy.uint8, 256, "Expected `uint8`, got 256, which is out of its range"),
        (numpy.int8, -129, "Expected `int8`, got -129, which is out of its range"),
        (numpy.float32, "x", "Expected `float`, got `str`"),
        (numpy.bool_, 1, "Expected `bool`, got `int`"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(hint: Any, value: Any, why: str) -> None:
    assert told(value, hint).replace("an array <f4>", "an array <f4>") == why.replace(
        "`an array <f4>`", "`an array <f4`"
    )


def test_scalars_are_of_their_types() -> None:
    for kind, value in ((numpy.bool_, True), (numpy.uint8, 255), (numpy.int64, -(2**63)), (numpy.float32, 1.5)):
        found = checked(value, kind)
        assert (type(found), found) == (kind, value)


def test_symbols_are_known_once_they_have_been_seen() -> None:
    hint = Annotated[numpy.ndarray, Array("<f4", "n", "m")]
    assert checked(F4, hint) is F4
    assert dict(dims.known) == {"n": 2, "m": 3}
    with pytest.raises(msgspec.ValidationError, match="where n is 2, got `<f4 \\[3, 2\\]`"):
        convert(numpy.ascontiguousarray(F4.T), checkable(hint))
    assert dict(dims.known) == {"n": 2, "m": 3}
    assert not NO_LENGTHS


def test_a_raw_array_is_made_of_whatever_array_arrives() -> None:
    for array in (F4, F4.T, F4[:, ::2], numpy.float32(7)):
        raw = checked(array, Annotated[RawArray, Array("<f4")])
        assert isinstance(raw, RawArray)
        whole = numpy.frombuffer(raw.data, raw.dtype).reshape(raw.shape)
        assert (raw.dtype, raw.shape, bytes(raw.data)) == ("<f4", array.shape, array.tobytes())
        assert (whole == array).all()
        assert checked(raw, Annotated[RawArray, Array("<f4")]) is raw


class ndarray:
    """Has the name of NumPy's alone."""


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Annotated[list[float], Array("<f4")], "numpy.ndarray, wslink.RawArray or Any, not list[float]"),
        (Annotated[numpy.float32, Array("<f4")], "numpy.ndarray, wslink.RawArray or Any, not float32"),
        (Annotated[ndarray, Array("<f4")], "numpy.ndarray, wslink.RawArray or Any, not ndarray"),
    ],
)
def test_a_note_belongs_to_arrays_alone(hint: Any, why: str) -> None:
    with pytest.raises(Unsupported) as caught:
        checkable(hint)
    assert str(caught.value) == f"Array('<f4') describes {why}"


@pytest.mark.parametrize("kind", [numpy.datetime64, numpy.str_, numpy.complex64, numpy.floating, numpy.generic])
def test_scalars_that_no_client_can_send(kind: Any) -> None:
    with pytest.raises(Unsupported) as caught:
        checkable(kind)
    assert str(caught.value) == f"no client can send a {kind.__name__}; use a plain number, text or an array"
