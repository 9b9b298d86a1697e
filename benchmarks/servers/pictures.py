"""Pictures of a scene that turns, as JPEG files whose size follows the quality: from some 25 KB to 450 KB."""

from __future__ import annotations

import functools
import io

import common
import numpy
from PIL import Image

WIDTH, HEIGHT = 1280, 720
SCENES = 24


@functools.lru_cache(maxsize=1)
def scenes() -> list[Image.Image]:
    """Surfaces in a moving light, with detail and a little noise, as renderers make them."""
    across, down = numpy.meshgrid(numpy.arange(WIDTH), numpy.arange(HEIGHT))
    chance = numpy.random.default_rng(1)
    texture = chance.normal(0, 1, (HEIGHT, WIDTH))
    for shift in (1, 2, 4):
        texture = texture + numpy.roll(texture, shift, 0) + numpy.roll(texture, shift, 1)
    texture /= texture.std()
    found = []
    for number in range(SCENES):
        angle = 2 * numpy.pi * number / SCENES
        light = numpy.sin(across / 90 + angle) * numpy.cos(down / 70 - angle)
        grey = 128 + 70 * light + 16 * numpy.roll(texture, 8 * number, 1)
        colours = numpy.stack([grey, grey * 0.9 + 10, grey * 0.7 + 30], axis=-1)
        found.append(Image.fromarray(colours.clip(0, 255).astype(numpy.uint8)))
    return found


def jpeg(number: int, quality: float) -> bytes:
    """The picture `number`, stamped with the time; quality is from 0 to 1."""
    file = io.BytesIO()
    stamp = common.stamps()
    scenes()[number % SCENES].save(file, "JPEG", quality=round(5 + 85 * quality))
    return file.getvalue() + stamp
