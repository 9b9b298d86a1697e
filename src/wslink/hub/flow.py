"""What a publisher can read of a subscription: how far behind its viewer is, and what quality fits it."""

from __future__ import annotations

import math

from wslink.hub.quality import QualityController
from wslink.session.congestion import CongestionController
from wslink.session.window import DeliveryWindow, Settled


class SubscriptionFlow:
    """The flow of one subscription.

    Args:
        line: what is known of the client's line.
        window: the subscription's window.

    Attributes:
        lag: seconds from the publishing of the latest settled publication to the arrival of its acknowledgement; 0
            while unknown.
        rtt: seconds of these from the beginning of its sending on; 0 while unknown.
        controller: chooses the quality.
    """

    __slots__ = ("controller", "lag", "line", "rtt", "window")

    def __init__(self, line: CongestionController, window: DeliveryWindow) -> None:
        self.line: CongestionController = line
        self.window: DeliveryWindow = window
        self.controller: QualityController = QualityController()
        self.lag: float = 0.0
        self.rtt: float = 0.0

    def observe(self, settled: Settled) -> None:
        """The page has dealt with a publication."""
        self.lag, self.rtt = settled.age, settled.rtt
        if isinstance(settled.label, float) and math.isfinite(self.line.min_rtt):
            self.controller.observe(settled.label, settled.size, settled.age, self.line.min_rtt, self.line.rate)
        self.window.quality = self.controller.quality
