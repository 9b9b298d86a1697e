"""The launcher's metrics for Prometheus.

Requires the prometheus-client package (`pip install wslink[metrics]`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from wslink.errors import StartFailed
from wslink.launcher.session import Session, State

if TYPE_CHECKING:
    from wslink.launcher.launcher import Launcher

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of the start times' histogram, in seconds."""


class Metrics:
    """Counts a launcher's sessions.

    Raises:
        ImportError: prometheus-client is not installed.
    """

    def __init__(self, launcher: Launcher) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

        self._launcher = launcher
        self._registry = registry = CollectorRegistry()
        self._generate: Callable[[CollectorRegistry], bytes] = generate_latest
        sessions = Gauge("wslink_launcher_sessions", "Sessions that hold a port", ["state"], registry=registry)
        for state in State:
            sessions.labels(state.value).set_function(partial(_count, launcher, state))
        free = Gauge("wslink_launcher_free_ports", "Ports that no session holds", registry=registry)
        free.set_function(lambda: launcher.free_ports)
        label = ["application"]
        self._starts = Counter("wslink_launcher_starts", "Sessions that were started", label, registry=registry)
        self._failures = Counter(
            "wslink_launcher_start_failures", "Sessions that did not become ready", label, registry=registry
        )
        self._seconds = Histogram(
            "wslink_launcher_start_seconds", "Time to readiness", label, buckets=BUCKETS, registry=registry
        )
        launcher.on_started.append(self._started)

    def _started(self, session: Session, error: BaseException | None) -> None:
        self._starts.labels(session.application).inc()
        if error is None:
            self._seconds.labels(session.application).observe(session.age)
        elif isinstance(error, StartFailed):
            self._failures.labels(session.application).inc()

    def response(self) -> web.Response:
        """The response with all metrics, in Prometheus's text format."""
        for application in self._launcher.configuration.apps:
            # Counted from 0: Prometheus' increase() does not see a counter that begins with 1.
            for metric in (self._starts, self._failures):
                metric.labels(application)
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._generate(self._registry), headers=headers)


def _count(launcher: Launcher, state: State) -> int:
    return sum(session.state is state for session in launcher.sessions.values())
