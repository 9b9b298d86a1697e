"""A digital elevation model as a smooth surface in metres, and the pyramid of tiles over it."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Single precision where there are many."""

TILE = 256
"""Pixels along the side of a tile; those at the right and bottom edges are smaller."""
COARSEST = 160.0
"""Metres that a pixel of level 0 covers; each level halves it."""
LEVELS = 6
METRES_PER_DEGREE = 111_195.0
"""Along a meridian, on a sphere of 6,371 km."""


class Tile(NamedTuple):
    """A tile's place in the pyramid. As tags: `tile._asdict()`."""

    level: int
    row: int
    col: int


class Elevation:
    """A surface through a grid of elevations. Places are metres east and metres south of its north-west corner.

    Args:
        grid: elevations in metres, shape (rows, columns), northernmost row first.
        spacing: metres between columns and between rows.
        north_west: longitude and latitude of the corner, in degrees.
        degrees: degrees between columns and between rows.

    Attributes:
        width, height: its extent in metres.
        lowest, highest: its range in metres.
    """

    def __init__(
        self,
        grid: NDArray[Any],
        spacing: tuple[float, float],
        north_west: tuple[float, float] = (0.0, 0.0),
        degrees: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        # A cubic spline needs one row and column before each place and two after it.
        self._padded = np.pad(grid.astype(np.float32), 2, mode="edge")
        self._rows, self._columns = grid.shape
        self._dx, self._dy = spacing
        self._degrees = degrees
        self.north_west = north_west
        self.width, self.height = self._columns * self._dx, self._rows * self._dy
        self.lowest, self.highest = float(grid.min()), float(grid.max())

    @classmethod
    def jacksboro(cls) -> Elevation:
        """The land around the Jacksboro fault in Tennessee, from the sample data that ships with matplotlib."""
        with np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)) as file:
            grid, dx, dy = file["elevation"], float(file["dx"]), float(file["dy"])
            west, north = float(file["xmin"]), float(file["ymin"])  # its rows run southwards, and so does its y axis
        middle = math.radians(north - dy * grid.shape[0] / 2)
        spacing = (dx * METRES_PER_DEGREE * math.cos(middle), dy * METRES_PER_DEGREE)
        return cls(grid, spacing, (west, north), (dx, dy))

    @property
    def south_east(self) -> tuple[float, float]:
        """Longitude and latitude of the other corner, in degrees."""
        (west, north), (dx, dy) = self.north_west, self._degrees
        return west + dx * self._columns, north - dy * self._rows

    def at(self, x: Floats, y: Floats) -> Floats:
        """The elevation at each place `(x[i], y[i])`; beyond the edges it is that of the edge."""
        columns, column_weights = _spline(x / self._dx, self._columns)
        rows, row_weights = _spline(y / self._dy, self._rows)
        patches = self._padded[rows[:, :, None], columns[:, None, :]]
        elevations: Floats = np.einsum("nij,ni,nj->n", patches, row_weights, column_weights)
        return elevations

    def raster(self, x: Floats, y: Floats) -> Floats:
        """The elevation at each crossing of the columns `x` and the rows `y`, shape (len(y), len(x))."""
        columns, column_weights = _spline(x / self._dx, self._columns)
        rows, row_weights = _spline(y / self._dy, self._rows)
        along = _total([row_weights[:, k, None] * self._padded[rows[:, k]] for k in range(4)])
        return _total([column_weights[:, k] * along[:, columns[:, k]] for k in range(4)])

    def profile(self, points: Sequence[tuple[float, float]], samples: int) -> tuple[Floats, float]:
        """Elevations at equal steps along the line through `points`, and its length in metres."""
        corners = np.asarray(points, np.float64)
        steps = np.hypot(*np.diff(corners, axis=0).T)
        distance = np.concatenate([[0.0], np.cumsum(steps)])
        at = np.linspace(0.0, distance[-1], samples)
        x, y = (np.interp(at, distance, axis).astype(np.float32) for axis in corners.T)
        return self.at(x, y), float(distance[-1])


def _total(parts: Sequence[Floats]) -> Floats:
    return functools.reduce(operator.iadd, parts)


def _spline(at: Floats, count: int) -> tuple[NDArray[np.integer[Any]], Floats]:
    """For places counted in cells, the four samples around each and the weight of each of them, both of shape (n, 4).

    A cubic B-spline: its slope is continuous, and it smooths away the steps that whole metres make.
    """
    # Samples are the middles of their cells.
    place = np.clip(np.nan_to_num(at) - 0.5, -0.5, count - 0.5)
    before = np.floor(place)
    t = (place - before).astype(np.float32)[:, None]
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    first = before.astype(np.int64) + 1  # one before, in a grid padded by two
    return first[:, None] + np.arange(4), np.concatenate(weights, axis=1) / 6


class Pyramid:
    """The tiles that cover a surface, level by level, the coarsest first."""

    def __init__(self, surface: Elevation) -> None:
        self.surface = surface
        self.tiles = tuple(self._all())

    @staticmethod
    def resolution(level: int) -> float:
        """Metres that a pixel covers."""
        return COARSEST * 0.5**level

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level, in pixels."""
        resolution = self.resolution(level)
        return math.ceil(self.surface.width / resolution), math.ceil(self.surface.height / resolution)

    def counts(self, level: int) -> tuple[int, int]:
        """Rows and columns of tiles of a level."""
        width, height = self.size(level)
        return math.ceil(height / TILE), math.ceil(width / TILE)

    def elevations(self, tile: Tile, border: int) -> Floats:
        """The elevations at a tile's pixels and at `border` more on every side, shape (height, width)."""
        width, height = self.size(tile.level)
        columns = self._centres(tile.col, width, border) * self.resolution(tile.level)
        rows = self._centres(tile.row, height, border) * self.resolution(tile.level)
        return self.surface.raster(columns.astype(np.float32), rows.astype(np.float32))

    @staticmethod
    def _centres(index: int, size: int, border: int) -> Floats:
        first, last = index * TILE, min((index + 1) * TILE, size)
        return np.arange(first - border, last + border) + 0.5

    def _all(self) -> Iterator[Tile]:
        for level in range(LEVELS):
            rows, columns = self.counts(level)
            yield from (Tile(level, row, column) for row in range(rows) for column in range(columns))
