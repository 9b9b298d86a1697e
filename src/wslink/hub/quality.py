"""The quality at which to render for one viewer, from what reached its screen and when."""

from __future__ import annotations

import msgspec

TARGET_AGE = 0.1
"""Seconds over the line's own round trip."""
TARGET_RATE = 30.0
"""Frames per second."""
LEAST_QUALITY = 0.05
HEADROOM = 0.9
"""The part of the targets that is aimed at."""
STEP_DOWN, STEP_UP = 0.25, 1.2
"""Bounds on what one frame may change."""
GAIN = 0.4
"""How far one frame moves the quality to where it points; all the way where its load is `FAR` or more."""
FAR = 2.0


class Rendered(msgspec.Struct, frozen=True):
    """Says of a publication what it was rendered at.

    Attributes:
        quality: from 0 to 1.
        parts: of how many of its kind it is one.
    """

    quality: float
    parts: int = 1


class QualityController:
    """Chooses a quality from 0 to 1 so that frames arrive at a rate and an age.

    Each frame that the page has settled tells how much of the targets it used up: the time that its bytes take on the
    line times `target_rate`, and its age over the line's own delay divided by `target_age`. The larger of the two is
    its load, and load 1 is what may be. The quality moves towards the one the frame was rendered at divided by its
    load. A frame carries the quality it was rendered at, so that the delay of the line makes nothing swing.

    It reads no clock. Times are seconds, sizes bytes, rates bytes per second.

    Args:
        target_age: how old a frame may be when it is drawn, over the line's own delay.
        target_rate: frames per second to aim at.

    Attributes:
        quality: what to render at next, from 0.05 to 1.
        load: that of the latest frame; above 1 where it missed a target.
    """

    __slots__ = ("load", "quality", "target_age", "target_rate")

    def __init__(self, target_age: float = TARGET_AGE, target_rate: float = TARGET_RATE) -> None:
        self.target_age: float = target_age
        self.target_rate: float = target_rate
        self.quality: float = 1.0
        self.load: float = 0.0

    def observe(self, quality: float, size: int, age: float, line_delay: float, line_rate: float) -> None:
        """A frame was settled.

        Args:
            quality: what it was rendered at.
            size: its bytes; of the whole picture where it is a part of one.
            age: from its rendering to the arrival of its acknowledgement.
            line_delay: the line's own round trip.
            line_rate: what the line carries per second; 0 while unknown.
        """
        by_age = max(age - line_delay, 0.0) / self.target_age
        by_rate = size * self.target_rate / line_rate if line_rate else 0.0
        self.load = max(by_age, by_rate)
        step = min(max(HEADROOM / self.load if self.load else STEP_UP, STEP_DOWN), STEP_UP)
        goal = min(max(quality * step, LEAST_QUALITY), 1.0)
        if goal > self.quality and step < 1:
            return  # rendered better than what is asked for now, and still too much: it says nothing about less
        self.quality += (goal - self.quality) * (1.0 if self.load >= FAR else GAIN)
