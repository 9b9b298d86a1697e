"""The relay's metrics for Prometheus.

Requires the prometheus-client package (`pip install wslink[metrics]`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aiohttp import web

from wslink.errors import UsageError
from wslink.http.monitoring import CONTENT_TYPE
from wslink.proxy.upstream import TunnelObserver
from wslink.relay.rooms import Role, Rooms


class Metrics:
    """Counts what a relay does.

    Args:
        rooms: the rooms of its pairs.

    Attributes:
        tunnels: notified of every connection that is forwarded.

    Raises:
        UsageError: prometheus-client is not installed.
    """

    def __init__(self, rooms: Rooms) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
        except ImportError as error:
            raise UsageError(f"metrics need prometheus-client: pip install 'wslink[metrics]' ({error})") from error
        self._registry = registry = CollectorRegistry()
        self._generate: Callable[[CollectorRegistry], bytes] = generate_latest
        forwarded = Gauge("wslink_relay_forwarded", "Connections that are forwarded now", registry=registry)
        self.tunnels = TunnelObserver(lambda _: forwarded.inc(), lambda _: forwarded.dec())
        pairs = Gauge("wslink_relay_pairs", "Pairs of peers that talk now", registry=registry)
        pairs.set_function(lambda: rooms.pairs)
        waiting = Gauge("wslink_relay_waiting", "Peers that wait for the other now", ["role"], registry=registry)
        for role in (Role.PROCESS, Role.CLIENT):
            waiting.labels(role.value).set_function(partial(_waiting, rooms, role))
        self._passed = Counter("wslink_relay_accepted", "Handshakes that were accepted", registry=registry)
        self._refused = Counter("wslink_relay_refused", "Handshakes that were not", ["status"], registry=registry)

    def count(self, response: web.StreamResponse, accepted: bool) -> None:
        """Count the response to a handshake."""
        if accepted:
            self._passed.inc()
        else:
            self._refused.labels(str(response.status)).inc()

    def response(self) -> web.Response:
        """The response with all metrics, in Prometheus's text format."""
        return web.Response(body=self._generate(self._registry), headers={"Content-Type": CONTENT_TYPE})


def _waiting(rooms: Rooms, role: Role) -> int:
    return rooms.waiting[role]
