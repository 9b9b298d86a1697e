"""Renders the tiles that somebody looks at, in the newest light, one when its viewer can take one."""

from __future__ import annotations

import functools
import math
import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import shading
from .elevation import Pyramid, Tile

KEPT = 160
"""Tiles whose normals are kept, a megabyte each: turning the light costs a fifth of preparing a tile."""
COARSEST = 8
"""Of so many pixels in both directions one is sent at least."""


def step_of(quality: float) -> int:
    """Of how many pixels one is sent, in both directions: quality is a share of the bytes."""
    return min(round(1 / math.sqrt(quality)), COARSEST)


class Light(NamedTuple):
    """The sun. Angles are in degrees; `number` counts the lights there have been."""

    number: int
    azimuth: float
    altitude: float


class Picture(NamedTuple):
    """A rendered tile. `frame` counts how often the light has turned on the viewer's screen; one of `step` pixels was
    rendered; `size` is the whole tile's height and width in pixels."""

    tile: Tile
    light: Light
    frame: int
    step: int
    size: tuple[int, int]
    pixels: NDArray[np.uint8]


class View:
    """What one viewer looks at, has, and is still to get."""

    def __init__(self) -> None:
        self.tiles: frozenset[Tile] = frozenset()
        self.light: Light | None = None
        self.frame = 0
        self.todo: deque[Tile] = deque()
        self.blurred: set[Tile] = set()
        """Tiles that were sent with fewer pixels than they have."""
        self.last: Tile | None = None
        """The one that was rendered last. It is not sent if the filter changes before it could be."""

    def look_at(self, tiles: Iterable[Tile]) -> None:
        """Look at these tiles from now on. Those that it did not look at before come first, and the last one again."""
        now = frozenset(tiles)
        entered = sorted(now - (self.tiles - {self.last}))
        self.todo = deque([*entered, *(tile for tile in self.todo if tile in now and tile != self.last)])
        self.blurred &= now
        self.tiles = now

    def next(self, light: Light, still: bool) -> Tile | None:
        """The tile to send next; None if it has all.

        A frame is all tiles in one light: while one is under way newer lights wait, and only the newest of them is
        rendered next. Where nothing moves any more, what was blurred is sent once more.
        """
        if self.light is None:
            self.light = light
        if not self.todo and self.light is not light:
            self.light = light
            self.frame += 1
            self.todo.extend(sorted(self.tiles))
        if not self.todo and still:
            self.todo.extend(sorted(self.blurred))
        self.last = self.todo.popleft() if self.todo else None
        return self.last


class Renderer:
    """Renders tiles, on any thread.

    Args:
        pyramid: the land.
        light: the first light.

    Attributes:
        light: the newest light.
    """

    def __init__(self, pyramid: Pyramid, light: Light) -> None:
        self.light = light
        self._pyramid = pyramid
        self._turning = threading.Lock()
        self._relief = functools.lru_cache(maxsize=KEPT)(self._prepare)

    def turn(self, azimuth: float, altitude: float) -> Light:
        """Set the light."""
        with self._turning:
            self.light = Light(self.light.number + 1, azimuth, altitude)
            return self.light

    def render(self, view: View, quality: float, still: bool) -> Picture | None:
        """The next picture for a view; None if it has all. One call at a time for each view."""
        tile = view.next(self.light, still)
        if tile is None or view.light is None:
            return None
        step = 1 if still else step_of(quality)
        view.blurred.discard(tile)
        if step > 1:
            view.blurred.add(tile)
        pixels = shading.shade(self._relief(tile), view.light.azimuth, view.light.altitude)
        height, width = pixels.shape[:2]
        sent = np.ascontiguousarray(pixels[::step, ::step])
        sent.flags.writeable = False  # so that it is sent from where it is
        return Picture(tile, view.light, view.frame, step, (height, width), sent)

    def _prepare(self, tile: Tile) -> shading.Relief:
        elevations = self._pyramid.elevations(tile, border=1)
        return shading.relief(elevations, self._pyramid.resolution(tile.level))
