"""Renders the tiles that somebody looks at, on a thread of its own, in the newest light."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import shading
from .elevation import Pyramid, Tile

KEPT = 160
"""Tiles whose normals are kept, a megabyte each: turning the light costs a fifth of preparing a tile."""


class Light(NamedTuple):
    """The sun. Angles are in degrees; `number` counts the lights there have been."""

    number: int
    azimuth: float
    altitude: float


class Picture(NamedTuple):
    """A rendered tile. `frame` counts how often the light has turned on the screen."""

    tile: Tile
    light: Light
    frame: int
    pixels: NDArray[np.uint8]


class _Job(NamedTuple):
    tile: Tile
    to: str | None


class Renderer:
    """A thread that renders and hands over what is wanted.

    A frame is all wanted tiles in one light. While a frame is under way newer lights wait, and only the newest of them
    is rendered next: work never piles up, however fast somebody drags the sun. Tiles that have just come into
    somebody's view go first.

    Args:
        pyramid: the land.
        publish: takes a picture, for everyone or for the client that is named. Called on the renderer's thread.
        wanted: whether anybody wants a tile still. Called on the renderer's thread.
        light: the first light.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        publish: Callable[[Picture, str | None], object],
        wanted: Callable[[Tile], bool],
        light: Light,
    ) -> None:
        self._pyramid = pyramid
        self._publish = publish
        self._wanted = wanted
        self._changed = threading.Condition()
        # All of these are guarded by it.
        self._newest = self._shown = light
        self._frame = 0
        self._views: dict[Hashable, frozenset[Tile]] = {}
        self._entered: deque[_Job] = deque()
        self._turning: deque[_Job] = deque()
        self._relief = functools.lru_cache(maxsize=KEPT)(self._prepare)

    def start(self) -> None:
        """Begin to render. The thread ends with the process."""
        threading.Thread(target=self._run, name="renderer", daemon=True).start()

    @property
    def light(self) -> Light:
        """The newest light."""
        return self._newest

    def turn(self, azimuth: float, altitude: float) -> Light:
        """Set the light; what is wanted is rendered in it as soon as the frame under way is done."""
        with self._changed:
            self._newest = Light(self._newest.number + 1, azimuth, altitude)
            self._changed.notify()
            return self._newest

    def watch(self, view: Hashable, tiles: Iterable[Tile], client_id: str) -> None:
        """Let `view` be of these tiles. Those that it was not of yet are rendered for the client."""
        with self._changed:
            before = self._views.get(view, frozenset())
            self._views[view] = now = frozenset(tiles)
            self._entered.extend(_Job(tile, client_id) for tile in sorted(now - before))
            self._changed.notify()

    def forget(self, view: Hashable) -> None:
        """End a view."""
        with self._changed:
            self._views.pop(view, None)

    # On the renderer's thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                job, light, frame = self._take(), self._shown, self._frame
            if job is not None and self._wanted(job.tile):
                pixels = shading.shade(self._relief(job.tile), light.azimuth, light.altitude)
                self._publish(Picture(job.tile, light, frame, pixels), job.to)

    def _has_work(self) -> bool:
        return bool(self._entered or self._turning) or self._newest is not self._shown

    def _take(self) -> _Job | None:
        if self._entered:
            return self._entered.popleft()
        if not self._turning:
            self._shown = self._newest
            self._frame += 1
            self._turning.extend(_Job(tile, None) for tile in sorted(frozenset().union(*self._views.values())))
        return self._turning.popleft() if self._turning else None

    def _prepare(self, tile: Tile) -> shading.Relief:
        elevations = self._pyramid.elevations(tile, border=1)
        return shading.relief(elevations, self._pyramid.resolution(tile.level))
