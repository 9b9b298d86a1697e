"""The contract that src/api.ts is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

import numpy as np

from wslink import App, Array, MethodError

app = App()


@dataclass
class Light:
    """Where the sun is, in degrees."""

    azimuth: float
    altitude: float = 30


class Tile(TypedDict):
    """A square of terrain."""

    row: int
    heights: Annotated[np.ndarray, Array("<f4", "n", "n")]


class TileTags(TypedDict):
    row: int
    kind: Literal["rock", "sand"]


class TooSteep(MethodError):
    """The sun would be below the horizon; the data is the least altitude."""

    code = 7
    data: float


tile = app.topic("terrain.tile", payload=Tile, tags=TileTags, delivery="latest", doc="Tiles, as they are lit.")


@app.method("terrain.light", errors=[TooSteep])
def light(azimuth: float, altitude: float = 30) -> Light:
    """Move the sun, and light all tiles anew.

    Args:
        azimuth: degrees from north.
        altitude: degrees above the horizon.
    """
    if altitude < 0:
        raise TooSteep("below the horizon", data=0)
    for row in range(6):
        tile.publish({"row": row, "heights": np.full((8, 8), altitude, "f4")}, {"row": row, "kind": "rock"})
    return Light(azimuth, altitude)
