"""A server's metrics for Prometheus.

Requires the prometheus-client package (`pip install wslink[metrics]`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from wslink.observe.durations import OTHER, Durations
from wslink.observe.histogram import BYTES, Histogram
from wslink.rpc.dispatcher import Service
from wslink.session.identity import Opening
from wslink.session.observers import Observer, Observers, Published
from wslink.session.view import SessionView
from wslink.session.window import Settled
from wslink.wire.messages import Request

if TYPE_CHECKING:
    from prometheus_client.core import Metric

PREFIX = "wslink"
MAX_TOPICS = 500
"""Topics that are told apart; an application may make up names without end. All further ones are `OTHER`."""


class Served(Protocol):
    """The metrics' interface to a server's hub."""

    @property
    def observers(self) -> Observers: ...
    @property
    def service(self) -> Service: ...
    @property
    def sessions(self) -> Mapping[str, SessionView]: ...
    @property
    def connected(self) -> set[SessionView]: ...


class Metrics(Observer):
    """Counts what a server does, for as long as it is served.

    Args:
        hub: the server's.

    Raises:
        ImportError: prometheus-client is not installed.
    """

    def __init__(self, hub: Served) -> None:
        from prometheus_client import CollectorRegistry, generate_latest

        self._hub = hub
        self._registry = CollectorRegistry(auto_describe=False)
        self._generate = generate_latest
        self._calls = Durations()
        self._publications: Counter[str] = Counter()
        self._sizes: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(BYTES))
        self._deliveries: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._ages: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._round_trips = Histogram()
        self._events: Counter[str] = Counter()
        self._dropped_before = 0
        hub.observers.add(self)
        hub.service.methods.intercept(self._calls.around)
        self._registry.register(self)

    # What it is told ------------------------------------------------------------

    def unknown(self, session: SessionView, request: Request) -> None:
        self._calls.unknown()

    def published(self, publication: Published) -> None:
        clients, topic = len(publication.clients), publication.topic
        if topic not in self._publications and len(self._publications) >= MAX_TOPICS:
            topic = OTHER
        self._publications[topic] += 1
        self._sizes[topic].observe(publication.size)
        self._deliveries[topic] += clients
        self._sent[topic] += clients * publication.size

    def acknowledged(self, session: SessionView, topic: str, settled: Settled) -> None:
        self._ages[topic if topic in self._ages or len(self._ages) < MAX_TOPICS else OTHER].observe(settled.age)
        self._round_trips.observe(settled.rtt)

    def opened(self, session: SessionView, opening: Opening) -> None:
        self._events["connected"] += 1

    def wants_request(self) -> bool:
        return False

    def detached(self, session: SessionView) -> None:
        self._events["detached"] += 1

    def resumed(self, session: SessionView) -> None:
        self._events["resumed"] += 1

    def closed(self, session: SessionView) -> None:
        self._events["closed"] += 1
        self._dropped_before += session.queue.dropped

    # What it says ---------------------------------------------------------------

    def text(self) -> bytes:
        """All metrics, in Prometheus's text format."""
        return self._generate(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus-client."""
        yield from self._of_calls()
        yield from self._of_publications()
        yield from self._of_clients()

    def _of_calls(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        durations = HistogramMetricFamily(
            f"{PREFIX}_call_duration_seconds", "Time that calls ran, by method and status", labels=["method", "status"]
        )
        for (method, status), histogram in self._calls.ran().items():
            durations.add_metric([method, status], list(histogram.buckets()), histogram.total)
        yield durations
        waits = HistogramMetricFamily(
            f"{PREFIX}_call_queueing_seconds", "Time from the arrival of calls to their start", labels=["method"]
        )
        for method, histogram in self._calls.waited().items():
            waits.add_metric([method], list(histogram.buckets()), histogram.total)
        yield waits

    def _of_publications(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        for name, what, counts in (
            ("publications", "Publications, by topic; once for each encoding", self._publications),
            ("deliveries", "Publications sent to a client, by topic", self._deliveries),
            ("published_bytes", "Bytes of these, all clients together", self._sent),
        ):
            family = CounterMetricFamily(f"{PREFIX}_{name}", what, labels=["topic"])
            for topic, count in list(counts.items()):
                family.add_metric([topic], count)
            yield family
        for name, what, histograms in (
            ("publication_size_bytes", "Sizes of publications, by topic", self._sizes),
            ("publication_age_seconds", "Time from publishing to the page's acknowledgement", self._ages),
        ):
            shown = HistogramMetricFamily(f"{PREFIX}_{name}", what, labels=["topic"])
            for topic, histogram in list(histograms.items()):
                shown.add_metric([topic], list(histogram.buckets()), histogram.total)
            yield shown

    def _of_clients(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        connected = list(self._hub.connected)
        waiting = sum(session.queue.waiting for session in connected)
        dropped = self._dropped_before + sum(session.queue.dropped for session in connected)
        yield GaugeMetricFamily(f"{PREFIX}_clients", "Clients that have authenticated", len(self._hub.sessions))
        yield GaugeMetricFamily(f"{PREFIX}_connections", "Connections, also of clients away", len(connected))
        yield GaugeMetricFamily(f"{PREFIX}_waiting_bytes", "Bytes that wait to be sent to clients", waiting)
        yield CounterMetricFamily(f"{PREFIX}_dropped", "Publications that a newer one replaced", dropped)
        for event, what in (
            ("connected", "Connections that were opened"),
            ("closed", "Sessions that have ended"),
            ("detached", "Connections lost whose client may return"),
            ("resumed", "Clients that have returned"),
        ):
            yield CounterMetricFamily(f"{PREFIX}_{event}", what, self._events[event])
        trips = HistogramMetricFamily(
            f"{PREFIX}_round_trip_seconds", "Sending of publications to their acknowledgement"
        )
        trips.add_metric([], list(self._round_trips.buckets()), self._round_trips.total)
        yield trips
