"""`Annotated[np.ndarray, Array("<f4", "n", 3)]`: dtype, rank and lengths are checked as arrays arrive."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Annotated, Any, TypedDict

import attrs
import numpy
import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Array, CallError, RawArray, UsageError

Points = Annotated[numpy.ndarray, Array("<f4", "n", 3)]
Values = Annotated[numpy.ndarray, Array("<f8", "n")]


def points(n: int, dtype: str = "f4", width: int = 3) -> Any:
    return numpy.zeros((n, width), dtype)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (points(4, "f8"), "Expected an array `<f4 [n, 3]`, got `<f8 [4, 3]`"),
        (points(4, width=2), "Expected an array `<f4 [n, 3]`, got `<f4 [4, 2]`"),
        (numpy.zeros(12, "f4"), "Expected an array `<f4 [n, 3]`, got `<f4 [12]`"),
        ([[0.0, 0.0, 0.0]], "Expected `ndarray`, got `list`"),
    ],
)
async def test_dtype_and_shape_are_checked(app: App, serve: Serve, array: Any, why: str) -> None:
    @app.method("mesh.move")
    def move(points: Points) -> int:
        return len(points)

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("mesh.move", points(4)) == 4
        for args, kwargs in (((array,), {}), ((), {"points": array})):
            with pytest.raises(CallError) as error:
                await link.call("mesh.move", *args, **kwargs)
            assert error.value.code == -32602
            assert why in error.value.message
            assert "points" in error.value.message


@dataclasses.dataclass
class Mesh:
    points: Points
    parts: list[Mesh] = dataclasses.field(default_factory=list)


class Field(TypedDict):
    values: Values


@attrs.define
class Grid:
    points: Points
    _name: str = "grid"


async def test_a_symbol_has_one_length_in_a_call_wherever_its_arrays_stand(app: App, serve: Serve) -> None:
    @app.method("mesh.paint")
    def paint(mesh: Mesh, field: Field, *more: Values, extra: Points | None = None) -> int:
        return len(mesh.points)

    async with wslink.connect(await serve(app), secret="secret") as link:
        mesh = {"points": points(4), "parts": [{"points": points(4)}]}
        good = {"values": numpy.zeros(4)}
        assert await link.call("mesh.paint", mesh, good, numpy.zeros(4), extra=points(4)) == 4
        assert await link.call("mesh.paint", {"points": points(5)}, {"values": numpy.zeros(5)}) == 5
        for args, kwargs in (
            ((mesh, {"values": numpy.zeros(5)}), {}),
            ((mesh, good, numpy.zeros(5)), {}),
            ((mesh, good), {"extra": points(5)}),
            (({"points": points(4), "parts": [{"points": points(5)}]}, good), {}),
        ):
            with pytest.raises(CallError, match="where n is [45]"):
                await link.call("mesh.paint", *args, **kwargs)


async def test_lengths_can_be_asked_for(app: App, serve: Serve) -> None:
    app.method("a.lengths")(_lengths)
    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("a.lengths", points(7)) == {"n": 7}


def _lengths(points: Points, call: wslink.Call) -> dict[str, int]:
    return dict(call.lengths)


async def test_attrs_classes_hold_arrays(app: App, serve: Serve) -> None:
    @app.method("grid.size")
    def size(grid: Grid) -> tuple[int, str]:
        return len(grid.points), grid._name

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("grid.size", {"points": points(2)}) == [2, "grid"]
        assert await link.call("grid.size", {"points": points(2), "_name": "g"}) == [2, "g"]
        with pytest.raises(CallError, match="Expected an array"):
            await link.call("grid.size", {"points": points(2, "f8")})


async def test_a_union_takes_the_array_that_fits(app: App, serve: Serve) -> None:
    @app.method("a.which")
    def which(
        value: Annotated[numpy.ndarray, Array("<f4", "n", "n")] | Annotated[numpy.ndarray, Array("<f4", "n", 2)] | str,
        like: Annotated[numpy.ndarray, Array("", "n")],
    ) -> int:
        return len(like)

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("a.which", numpy.zeros((5, 2), "f4"), numpy.zeros(5)) == 5
        assert await link.call("a.which", "text", numpy.zeros(3)) == 3
        with pytest.raises(CallError, match="where n is 5"):
            await link.call("a.which", numpy.zeros((5, 2), "f4"), numpy.zeros(2))


async def test_any_length_any_rank_and_raw_arrays(app: App, serve: Serve) -> None:
    @app.method("a.any")
    def anything(a: Annotated[Any, Array("<f4", None, 3)], b: Annotated[RawArray, Array("<f4")]) -> list[Any]:
        return [type(a).__name__, b.dtype, list(b.shape), b.data.tobytes()]

    async with wslink.connect(await serve(app), secret="secret") as link:
        given = numpy.arange(4, dtype="f4").reshape(2, 2)
        assert await link.call("a.any", points(9), given) == ["ndarray", "<f4", [2, 2], given.tobytes()]
        with pytest.raises(CallError, match=r"\[any, 3\]"):
            await link.call("a.any", points(9, width=4), given)


def test_without_numpy_arrays_arrive_as_raw_arrays() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from typing import Annotated
from wslink import Array, RawArray
from wslink.rpc.converters import convert
from wslink.rpc.hints import checkable
from wslink.wire.arrays import array_head, unpack_array
hint = checkable(Annotated[RawArray, Array("<f4", "n", 1)])
for rows, good in ((2, True), (3, False)):
    arrived = unpack_array(memoryview(array_head("<f4", (rows, 1) if good else (rows,)) + bytes(4 * rows)))
    try:
        print(convert(arrived, hint).shape)
    except Exception as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(2, 1)", "Expected an array `<f4 [n, 1]`, got `<f4 [3]`"]


@pytest.mark.parametrize(
    "make",
    [lambda: Array("float"), lambda: Array("<f4", -1), lambda: Array("<f4", "n m"), lambda: Array("<f4", 1.5)],  # type: ignore[arg-type]
)
def test_what_no_array_can_be_is_refused(make: Any) -> None:
    with pytest.raises(UsageError, match="Array: d"):
        make()


def test_a_note_on_what_is_no_array_is_refused_by_name(app: App) -> None:
    with pytest.raises(UsageError, match=r"'a.b': parameter 'x': Array\('<f4'\) describes numpy.ndarray"):

        @app.method("a.b")
        def method(x: Annotated[list[float], Array("<f4")]) -> None: ...
