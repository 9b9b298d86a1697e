"""Flow control of a subscription, as publishers see it: how far its viewer is behind, and which quality fits."""

from __future__ import annotations

import math

from wslink.hub.quality import QualityController, Rendered
from wslink.session.congestion import CongestionController
from wslink.session.flow import FlowControl
from wslink.session.window import DeliveryWindow, Settled


class SubscriptionFlow:
    """The flow of one subscription.

    Args:
        flow: that of the client.
        window: the subscription's window.

    Attributes:
        lag: seconds from the publishing of the latest settled publication to the arrival of its acknowledgement; 0
            while unknown.
        rtt: seconds of these from the beginning of its sending on; 0 while unknown.
        controller: chooses the quality.
    """

    __slots__ = ("_flow", "controller", "lag", "rtt", "window")

    def __init__(self, flow: FlowControl, window: DeliveryWindow) -> None:
        self._flow = flow
        self.window: DeliveryWindow = window
        self.controller: QualityController = QualityController()
        self.lag: float = 0.0
        self.rtt: float = 0.0

    @property
    def line(self) -> CongestionController:
        """What is known of the client's line."""
        return self._flow.line

    def observe(self, settled: Settled) -> None:
        """The page has dealt with a publication."""
        self.lag, self.rtt = settled.age, settled.rtt
        label, line = settled.label, self.line
        if isinstance(label, Rendered) and math.isfinite(line.min_rtt):
            whole = settled.size * label.parts
            self.controller.observe(label.quality, whole, settled.age, line.min_rtt, line.rate)
        self.window.quality = self.controller.quality
