"""Flow control of a subscription, as publishers see it: how far its viewer is behind, and which quality fits."""

from __future__ import annotations

import math

from wslink.hub.quality import QualityController, Rendered
from wslink.session.congestion import CongestionController
from wslink.session.flow import FlowControl
from wslink.session.window import DeliveryWindow, Settled


class SubscriptionFlow:
    """The flow control of one subscription.

    Args:
        flow: the client's flow control.
        window: the subscription's window.

    Attributes:
        lag: seconds from the publication of the latest settled payload to the arrival of its acknowledgement; 0 while
            unknown.
        rtt: the part of these since it began to be sent; 0 while unknown.
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
        """Estimates of the client's line."""
        return self._flow.line

    def observe(self, settled: Settled) -> None:
        """The page has handled a publication."""
        self.lag, self.rtt = settled.age, settled.rtt
        label, line = settled.label, self.line
        if isinstance(label, Rendered) and math.isfinite(line.min_rtt):
            whole = settled.size * label.parts
            self.controller.observe(label.quality, whole, settled.age, line.min_rtt, line.rate)
        self.window.quality = self.controller.quality
