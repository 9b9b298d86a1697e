"""What the inspector's page shows: the clients of a server, its topics, and what passes between them."""

from __future__ import annotations

import heapq
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from wslink.errors import METHOD_NOT_FOUND
from wslink.hub.clients import Client
from wslink.hub.topics import Subscription, Topic
from wslink.observe.calls import CallTimer
from wslink.observe.summary import line, weight
from wslink.observe.tail import Piece, Tail
from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Service
from wslink.session.identity import Opening
from wslink.session.observers import Observer, Observers, Published
from wslink.session.view import SessionView
from wslink.wire.messages import Request
from wslink.wire.value import Value

MAX_KEPT = 4096
"""Log entries that are kept."""
MAX_GIVEN = 250
"""Log entries that one look is given: at four looks a second 1,000 messages are all seen."""
MAX_CLIENTS, MAX_TOPICS, MAX_SUBSCRIPTIONS, MAX_RUNNING = 400, 400, 600, 100
"""Rows of each that one look is given."""
MAX_FILTER = 300
"""Characters of a filter that are shown."""
MAX_NAME = 200
"""Characters of a method's name, which may be anybody's."""
MAX_UNDER_WAY = 16_384
"""Calls under way that are known; beyond these the oldest is forgotten."""
MAX_COUNTED_SUBSCRIPTIONS = 5_000
"""Subscriptions of the server up to which those of each client are looked at, for their number and lag."""
MAX_COUNTED_TOPICS = 10_000
"""Topics whose publications are counted."""


class Entry(NamedTuple):
    """A line of the log.

    Attributes:
        time: seconds since the epoch.
        kind: "call" (it has arrived), "done" (its method has ended), "publication", or "client".
        name: the method, the topic, or what became of the client.
        client: its id; "" where it is several.
        size: bytes; about, for a call's arguments.
        clients: how many it is sent to.
        text: the beginning of the arguments, the tags, or how a call ended.
        wait, run: seconds that a call waited for its turn, and that its method ran.
    """

    time: float
    kind: str
    name: str
    client: str = ""
    size: int = 0
    clients: int = 0
    text: str = ""
    wait: float = 0.0
    run: float = 0.0


class UnderWay(NamedTuple):
    """A call whose method runs: when that began (monotonic), and how long it had waited."""

    call: Call
    began: float
    waited: float


class TopicsOf(Protocol):
    """Knows the topics of a server."""

    @property
    def topics(self) -> Mapping[str, Topic]: ...


class Inspected(Protocol):
    """What the inspector asks of a server's hub."""

    @property
    def observers(self) -> Observers: ...
    @property
    def service(self) -> Service: ...
    @property
    def connected(self) -> set[SessionView]: ...
    @property
    def clients(self) -> Mapping[str, Client]: ...
    @property
    def subscriptions(self) -> TopicsOf: ...


class Inspector(Observer):
    """Watches a server, for as long as it is served. What it keeps, and what it gives in one look, is bounded.

    Args:
        hub: of the server.
    """

    def __init__(self, hub: Inspected) -> None:
        self._hub = hub
        self._log: Tail[Entry] = Tail(MAX_KEPT)
        self._started = time.time()
        self._under_way: dict[Call, UnderWay] = {}
        self._addresses: dict[SessionView, str] = {}
        self._totals = {"received": 0, "publications": 0, "sent": 0, "bytes": 0, "done": 0, "failed": 0}
        self._published: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._filters: dict[Subscription, str] = {}
        timer = CallTimer(self)
        hub.observers.add(timer)
        hub.observers.add(self)
        hub.service.methods.intercept(timer.around)

    # What it is told ------------------------------------------------------------

    def received(self, session: SessionView, request: Request) -> None:
        system = request.id.startswith("system")  # hello has the secret
        given = [*request.args[:8], *([request.kwargs] if request.kwargs else [])]
        text = "" if system else ", ".join(map(line, given))[:MAX_FILTER]
        size = weight(request.args) + weight(request.kwargs)
        self._totals["received"] += 1
        self._log.add(Entry(time.time(), "call", request.method[:MAX_NAME], session.client_id, size, text=text))

    def began(self, call: Call, waited: float) -> None:
        if len(self._under_way) >= MAX_UNDER_WAY:
            self._under_way.pop(next(iter(self._under_way)), None)
        self._under_way[call] = UnderWay(call, time.monotonic(), waited)

    def ended(self, call: Call, seconds: float, status: str) -> None:
        known = self._under_way.pop(call, None)
        wait = known.waited if known is not None else 0.0
        self._end(call.method, call.client_id, status, wait, seconds)

    def failed(self, session: SessionView, request: Request) -> None:
        self._end(request.method[:MAX_NAME], session.client_id, str(METHOD_NOT_FOUND))

    def _end(self, method: str, client: str, status: str, wait: float = 0.0, run: float = 0.0) -> None:
        self._totals["done" if status == "OK" else "failed"] += 1
        self._log.add(Entry(time.time(), "done", method, client, text=status, wait=wait, run=run))

    def published(self, publication: Published) -> None:
        clients, size, totals = publication.clients, publication.size, self._totals
        totals["publications"] += 1
        totals["sent"] += len(clients)
        totals["bytes"] += len(clients) * size
        if publication.topic in self._published or len(self._published) < MAX_COUNTED_TOPICS:
            self._published[publication.topic] += 1
            self._bytes[publication.topic] += size
        client = clients[0].client_id if len(clients) == 1 else ""
        tags = line(publication.tags) if publication.tags else ""
        self._log.add(Entry(time.time(), "publication", publication.topic, client, size, len(clients), tags))

    def opened(self, session: SessionView, opening: Opening) -> None:
        self._addresses[session] = opening.address
        self._happened("connected", session, opening.address)

    def wants_request(self) -> bool:
        return False

    def detached(self, session: SessionView) -> None:
        self._happened("lost", session)

    def resumed(self, session: SessionView) -> None:
        self._happened("returned", session)

    def closed(self, session: SessionView) -> None:
        self._addresses.pop(session, None)
        self._happened("gone", session)

    def _happened(self, what: str, session: SessionView, text: str = "") -> None:
        self._log.add(Entry(time.time(), "client", what, session.client_id, text=text))

    # What it says ---------------------------------------------------------------

    def log(self, begin: int | None) -> dict[str, Value]:
        """The log since `begin`; see Tail.since. JSON: `entries` (without what is 0 or empty), `end`, `left_out`."""
        piece: Piece[Entry] = self._log.since(begin, MAX_GIVEN)
        entries = [{key: value for key, value in entry._asdict().items() if value} for entry in piece.entries]
        return {"entries": entries, "end": piece.end, "left_out": piece.left_out}

    def overview(self) -> dict[str, Value]:
        """What there is now; JSON. Of each kind a list, and under `all` how many there are of which it shows some."""
        topics = dict(self._hub.subscriptions.topics)
        connected = list(self._hub.connected)
        shown = connected
        if len(connected) > MAX_CLIENTS:  # those who wait for most
            shown = heapq.nlargest(MAX_CLIENTS, connected, key=lambda session: session.queue.waiting)
        under_way = list(self._under_way.values())
        subscriptions = sum(len(topic.subscriptions) for topic in topics.values())
        lags: dict[str, list[float]] = {}
        for one in _subscriptions(topics) if subscriptions <= MAX_COUNTED_SUBSCRIPTIONS else ():
            lags.setdefault(one.client_id, []).append(one.lag)
        return {
            "time": time.time(),
            "started": self._started,
            "totals": self._totals,
            "clients": [self._client(session, lags.get(session.client_id, [])) for session in shown],
            "topics": [self._topic(topic) for topic in islice(topics.values(), MAX_TOPICS)],
            "subscriptions": self._told(islice(_subscriptions(topics), MAX_SUBSCRIPTIONS)),
            "running": [_running(one) for one in under_way[:MAX_RUNNING]],
            "all": {
                "clients": len(connected),
                "topics": len(topics),
                "subscriptions": subscriptions,
                "running": len(under_way),
            },
        }

    def _client(self, session: SessionView, lags: list[float]) -> dict[str, Value]:
        """One client; `lags` are those of its subscriptions, as far as they are looked at."""
        client = self._hub.clients.get(session.client_id)
        flow = session.flow
        line = flow.line if flow is not None else None
        return {
            "id": session.client_id,
            "address": client.address if client is not None else self._addresses.get(session, ""),
            "user": client.user[:MAX_NAME] if client is not None else "",
            "since": client.connected_at if client is not None else 0,
            "state": session.state.value,
            "rtt": line.min_rtt if line is not None and math.isfinite(line.min_rtt) else 0,
            "window": line.window if line is not None else 0,
            "in_flight": line.in_flight if line is not None else 0,
            "waiting": session.queue.waiting,
            "dropped": session.queue.dropped,
            "lag": max(lags, default=0),
            "subscriptions": len(lags),
        }

    def _topic(self, topic: Topic) -> dict[str, Value]:
        return {
            "name": topic.name,
            "delivery": topic.delivery,
            "subscriptions": len(topic.subscriptions),
            "publications": self._published.get(topic.name, 0),
            "bytes": self._bytes.get(topic.name, 0),
        }

    def _told(self, subscriptions: Iterator[Subscription]) -> list[dict[str, Value]]:
        before, self._filters = self._filters, {}  # a filter may be long, and does not change
        told = []
        for one in subscriptions:
            filter_ = self._filters[one] = before.get(one) or _filter_of(one)
            told.append(_subscription(one, filter_))
        return told


def _subscriptions(topics: Mapping[str, Topic]) -> Iterator[Subscription]:
    return (one for topic in topics.values() for one in topic.subscriptions)


def _filter_of(one: Subscription) -> str:
    text = json.dumps(one.filter, ensure_ascii=False, default=str) if one.filter else ""
    return text if len(text) <= MAX_FILTER else f"{text[:MAX_FILTER]}…"


def _subscription(one: Subscription, filter_: str) -> dict[str, Value]:
    return {
        "client": one.client_id,
        "topic": one.topic.name,
        "filter": filter_,
        "lag": one.lag,
        "rtt": one.rtt,
        "window": one.window,
        "dropped": one.dropped,
        "quality": one.quality,
    }


def _running(one: UnderWay) -> dict[str, Value]:
    return {
        "method": one.call.method,
        "client": one.call.client_id,
        "wait": one.waited,
        "run": time.monotonic() - one.began,
    }
