"""What a caller is told of an argument that its hint does not allow: the place, the values that are, and never much."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Literal, TypedDict

import pytest

from wslink import App, CallError


class Mode(enum.Enum):
    SURFACE = "surface"
    POINTS = "points"


@dataclasses.dataclass
class View:
    mode: Mode = Mode.SURFACE
    children: list[View] = dataclasses.field(default_factory=list)


class Style(TypedDict, total=False):
    weight: Literal[100, 400]


def show(mode: Mode | None = None, sizes: list[Literal["s", "m"]] = [], view: View | None = None) -> None: ...  # noqa: B006
def style(style: Style) -> None: ...
def several(first: int, *rest: Literal["up", "down"]) -> None: ...
def numbers(*rest: int) -> None: ...
def named(**more: Mode) -> None: ...
def many(value: Literal[tuple(range(100))]) -> None: ...  # type: ignore[valid-type]


app = App()
for method in (show, style, several, numbers, named, many):
    app.method(f"test.{method.__name__}")(method)


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "told"),
    [
        (
            "show",
            ["solid"],
            {},
            "Invalid enum value 'solid' - at `mode`; allowed: 'surface', 'points'; its ",
        ),
        ("show", [], {"mode": "solid"}, "Invalid enum value 'solid' - at `mode`; allowed: 'surface', 'points'; "),
        ("show", [None, ["s", "x"]], {}, "Invalid enum value 'x' - at `sizes[1]`; allowed: 's', 'm'; "),
        (
            "show",
            [None, [], {"mode": "x"}],
            {},
            "Invalid enum value 'x' - at `view.mode`; allowed: 'surface', 'points'",
        ),
        ("show", [None, [], {"children": [{"mode": "x"}]}], {}, "at `view.children[0].mode`; allowed: 'surface', "),
        ("style", [{"weight": 300}], {}, "Invalid enum value 300 - at `style.weight`; allowed: 100, 400; "),
        ("several", [1, "up", "left"], {}, "Invalid enum value 'left' - at `rest[1]`; allowed: 'up', 'down'; "),
        ("several", [1, "left"], {}, "its arguments: first, *rest"),
        ("numbers", [1, "two"], {}, "Expected `int`, got `str` - at `rest[1]`; its arguments: *rest"),
        ("named", [], {"any": "x"}, "Invalid enum value 'x' - at `more[...]`; allowed: 'surface', 'points'; "),
        ("many", [100], {}, "; allowed: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ...; "),
    ],
)
async def test_an_error_names_the_place_and_the_values_that_are_allowed(
    method: str, args: list[Any], kwargs: dict[str, Any], told: str
) -> None:
    async with app.connect() as link:
        with pytest.raises(CallError) as caught:
            await link.call(f"test.{method}", *args, **kwargs)
    assert told in caught.value.message


@pytest.mark.parametrize("deep", [0, 100])
async def test_an_error_is_short_whatever_was_sent(deep: int) -> None:
    view: dict[str, Any] = {"mode": "x" * 100_000}
    for _ in range(deep):
        view = {"children": [view]}
    async with app.connect() as link:
        with pytest.raises(CallError) as caught:
            await link.call("test.show", None, [], view)
    assert caught.value.message.startswith("test.show: Invalid enum value 'xxx")
    assert len(caught.value.message) < 500
