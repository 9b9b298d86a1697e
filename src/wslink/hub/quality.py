"""The quality at which to render for one viewer, based on what reached its screen and when."""

from __future__ import annotations

import msgspec

TARGET_AGE = 0.1
"""Seconds in addition to the line's own round trip."""
TARGET_RATE = 30.0
"""Frames per second."""
LEAST_QUALITY = 0.05
HEADROOM = 0.9
"""The fraction of the targets that is aimed at."""
STEP_DOWN, STEP_UP = 0.25, 1.2
"""Bounds on the change that one frame may cause."""
GAIN = 0.4
"""How far one frame moves the quality towards its goal; all the way if its load is `FAR` or more."""
FAR = 2.0


class Rendered(msgspec.Struct, frozen=True):
    """Describes how a publication was rendered.

    Attributes:
        quality: from 0 to 1.
        parts: the number of parts that the whole consists of, of which it is one.
    """

    quality: float
    parts: int = 1


class QualityController:
    """Chooses a quality from 0 to 1 so that frames reach a target rate and age.

    Each settled frame shows how much of the targets it used up: the time that its bytes take on the line times
    `target_rate`, and its age beyond the line's own delay divided by `target_age`. The larger of the two is its load; a
    load of 1 meets the targets exactly. The quality moves towards the quality of that frame divided by its load. Each
    frame carries the quality that it was rendered at, so the line's delay causes no oscillation.

    It reads no clock. Times are in seconds, sizes in bytes, rates in bytes per second.

    Args:
        target_age: how old a frame may be when it is drawn, beyond the line's own delay.
        target_rate: frames per second to aim at.

    Attributes:
        quality: what to render at next, from 0.05 to 1.
        load: the load of the latest frame; above 1 if it missed a target.
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
            size: its bytes, or those of the whole picture if it is a part of one.
            age: from its rendering to the arrival of its acknowledgement.
            line_delay: the line's own round trip.
            line_rate: the line's rate; 0 while unknown.
        """
        by_age = max(age - line_delay, 0.0) / self.target_age
        by_rate = size * self.target_rate / line_rate if line_rate else 0.0
        self.load = max(by_age, by_rate)
        step = min(max(HEADROOM / self.load if self.load else STEP_UP, STEP_DOWN), STEP_UP)
        goal = min(max(quality * step, LEAST_QUALITY), 1.0)
        if goal > self.quality and step < 1:
            return  # rendered at a higher quality than the current one: an overload says nothing about the current one
        self.quality += (goal - self.quality) * (1.0 if self.load >= FAR else GAIN)
