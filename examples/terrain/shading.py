"""Hill-shading: the light that a surface reflects, and the colours of a map."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .elevation import Floats

EXAGGERATION = 2.2
"""How much steeper the land is made, so that gentle hills show."""
RAMP = (  # metres, and the colour of the land there in full light
    (230, (44, 79, 78)),
    (290, (70, 111, 92)),
    (340, (118, 145, 101)),
    (410, (176, 177, 121)),
    (500, (214, 190, 136)),
    (620, (203, 155, 110)),
    (760, (171, 118, 94)),
    (900, (185, 156, 144)),
    (1080, (246, 241, 236)),
)
SHADOW_AT_NOON, SHADOW_AT_DUSK = (0.23, 0.26, 0.36), (0.17, 0.18, 0.35)
SUN_AT_NOON, SUN_AT_DUSK = (1.10, 1.09, 1.05), (1.30, 1.06, 0.80)
STEPS = 256
"""Steps of elevation, and of light, in the table of colours."""


class Relief(NamedTuple):
    """What shading needs of a tile and the light does not change."""

    normals: Floats  # (height * width, 3): east, south, up; of length 1
    band: NDArray[np.uint16]  # (height * width): the elevation's row in the table of colours, times STEPS
    shape: tuple[int, int]


def relief(elevations: Floats, resolution: float) -> Relief:
    """Prepare a tile.

    Args:
        elevations: metres, with a border of one pixel on every side.
        resolution: metres between pixels.
    """
    east, south = horn(elevations, resolution / EXAGGERATION)
    normals = np.stack([-east, -south, np.ones_like(east)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    inner = elevations[1:-1, 1:-1]
    lowest, highest = RAMP[0][0], RAMP[-1][0]
    band = np.clip((inner - lowest) / (highest - lowest) * (STEPS - 1), 0, STEPS - 1).astype(np.uint16) * STEPS
    return Relief(normals.reshape(-1, 3), band.ravel(), inner.shape)


def horn(z: Floats, resolution: float) -> tuple[Floats, Floats]:
    """The slope towards east and towards south by Horn's method (1981): weighted differences over eight neighbours."""
    smooth_rows = z[:-2] + 2 * z[1:-1] + z[2:]
    smooth_columns = z[:, :-2] + 2 * z[:, 1:-1] + z[:, 2:]
    return (
        (smooth_rows[:, 2:] - smooth_rows[:, :-2]) / (8 * resolution),
        (smooth_columns[2:] - smooth_columns[:-2]) / (8 * resolution),
    )


def shade(land: Relief, azimuth: float, altitude: float) -> NDArray[np.uint8]:
    """The tile in the light of a sun at `azimuth`, clockwise from north, and `altitude`, both in degrees.

    Returns:
        RGBA, shape (height, width, 4), read-only.
    """
    light = land.normals @ _sunlight(azimuth, altitude)
    np.clip(light, 0, STEPS - 1, out=light)
    colours = _colours(round(altitude)).take(light.astype(np.uint16) + land.band)
    pixels = colours.view(np.uint8).reshape(*land.shape, 4)
    pixels.flags.writeable = False  # so that it is sent from where it is, without a copy
    return pixels


def _sunlight(azimuth: float, altitude: float) -> Floats:
    """The vector whose product with a normal is the light that falls there, in steps."""
    turn, rise = math.radians(azimuth), math.radians(altitude)
    sun = np.array([math.sin(turn) * math.cos(rise), -math.cos(turn) * math.cos(rise), math.sin(rise)])
    sky = np.array([0.0, 0.0, 0.12])  # comes from everywhere, mostly from above
    exposure = 1 / (0.42 + 0.58 * math.sin(rise))  # as an eye or a camera opens up when the sun is low
    return np.asarray((0.80 * sun * exposure + sky) * (STEPS - 1), np.float32)


@functools.lru_cache(maxsize=91)
def _colours(altitude: int) -> NDArray[np.uint32]:
    """RGBA as one number, by elevation (slow) and light (fast): warm sun and blue shadows, the more so at dusk."""
    dusk = (1 - math.sin(math.radians(altitude))) ** 1.5
    shadow = _mix(SHADOW_AT_NOON, SHADOW_AT_DUSK, dusk)
    sun = _mix(SUN_AT_NOON, SUN_AT_DUSK, dusk)
    metres, ramp = zip(*RAMP, strict=True)
    at = np.linspace(metres[0], metres[-1], STEPS)
    land = np.stack([np.interp(at, metres, channel) for channel in zip(*ramp, strict=True)], axis=-1)
    light = np.linspace(0, 1, STEPS)[:, None] ** 0.9
    table: NDArray[Any] = np.full((STEPS, STEPS, 4), 255, np.uint8)
    table[..., :3] = np.clip(land[:, None] * (shadow + (sun - shadow) * light), 0, 255)
    return table.view(np.uint32).ravel()


def _mix(a: tuple[float, ...], b: tuple[float, ...], share: float) -> NDArray[np.float64]:
    return np.array(a) * (1 - share) + np.array(b) * share
