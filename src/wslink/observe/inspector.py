"""The data for the inspector's page: a server's clients, topics, and messages."""

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
from wslink.observe.summary import line, weight
from wslink.observe.tail import Piece, Tail
from wslink.observe.timing import OK, Timing, wait_of
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
"""Calls under way that are known, of which beyond these the oldest is forgotten; and responses that wait."""
SHOWN = 8
"""Arguments of a call that are shown."""
SMALL = frozenset((int, float, bool, type(None)))
"""Types of arguments that may be kept until somebody looks."""
MAX_COUNTED_SUBSCRIPTIONS = 5_000
"""Subscriptions of the server up to which those of each client are looked at, for their number and lag."""
MAX_COUNTED_TOPICS = 10_000
"""Topics whose publications are counted."""


class Entry(NamedTuple):
    """An entry of the log.

    Attributes:
        time: seconds since the epoch.
        kind: "call" (it has arrived), "done" (its method has ended), "sent" (its response had to wait, and the
            transport has accepted it), "publication", or "client".
        name: the method, the topic, or what happened to the client.
        client: its id; "" if there are several.
        size: bytes; for a call's arguments, approximate.
        clients: the number of recipients.
        text: the beginning of the arguments, the tags, or how a call ended.
        wait, run, send: seconds that a call waited for its turn, that its method ran, and that its response waited for
            the transport.
        call: the id of the call that has ended, or whose response is sent.
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
    send: float = 0.0
    call: str = ""


Arrived = tuple[float, Request, str]
"""A small call that has arrived, and its client. An Entry is made of it, as of a Done, when somebody looks: to make
them at once would be half of what the inspector costs."""
Done = tuple[float, str, str, str, float, float, str]
"""A call that has ended: time, method, client, status, wait, run, call."""


class Response(NamedTuple):
    """A waiting response: since when (monotonic), the call's method or "" for an error, and its client."""

    began: float
    method: str
    client: str


class TopicsOf(Protocol):
    """Knows the topics of a server."""

    @property
    def topics(self) -> Mapping[str, Topic]: ...


class Inspected(Protocol):
    """The inspector's interface to a server's hub."""

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


class Inspector(Observer, Timing):
    """Watches a server, for as long as it is served. What it keeps, and what it returns at a time, is limited.

    Args:
        hub: the server's.
    """

    def __init__(self, hub: Inspected) -> None:
        self._hub = hub
        self._log: Tail[Entry | Arrived | Done] = Tail(MAX_KEPT)
        self._started = time.time()
        self._under_way: dict[Call, float] = {}  # when the method began (monotonic)
        self._responses: dict[tuple[SessionView, str], Response] = {}
        self._addresses: dict[SessionView, str] = {}
        self._totals = {"received": 0, "publications": 0, "sent": 0, "bytes": 0, "done": 0, "failed": 0}
        self._published: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._filters: dict[Subscription, str] = {}
        hub.observers.add(self)
        hub.service.methods.intercept(self.around)

    # What it is told ------------------------------------------------------------

    def received(self, session: SessionView, request: Request) -> None:
        self._totals["received"] += 1
        method, args = request.method, request.args
        if not request.kwargs and SMALL.issuperset(map(type, args)) and len(method) <= MAX_NAME and len(args) <= SHOWN:
            self._log.add((time.time(), request, session.client_id))
        else:  # possibly large values are not kept
            self._log.add(_arrived(time.time(), request, session.client_id))

    def began(self, call: Call, begun: float) -> None:
        if len(self._under_way) >= MAX_UNDER_WAY:
            self._under_way.pop(next(iter(self._under_way)), None)
        self._under_way[call] = begun

    def ended(self, call: Call, begun: float, status: str) -> None:
        if self._under_way:
            self._under_way.pop(call, None)
        self._totals["done" if status is OK else "failed"] += 1
        wait = begun - call.arrived if call.arrived else 0.0
        run = time.monotonic() - begun
        self._log.add((time.time(), call.method, call.client.id, status, wait, run, call.id))

    def unknown(self, session: SessionView, request: Request) -> None:
        self._totals["failed"] += 1
        method, client = request.method[:MAX_NAME], session.client_id
        self._log.add(Entry(time.time(), "done", method, client, text=str(METHOD_NOT_FOUND), call=request.id))

    def delayed(self, session: SessionView, id_: str, method: str) -> None:
        if len(self._responses) < MAX_UNDER_WAY:
            key = session, id_
            self._responses[key] = Response(time.monotonic(), method, session.client_id)
            session.queue.watch(id_, lambda: self._sent(key))

    def _sent(self, key: tuple[SessionView, str]) -> None:
        """The transport has accepted a response, or the response was dropped."""
        one = self._responses.pop(key, None)
        if one is not None:
            seconds = time.monotonic() - one.began
            self._log.add(Entry(time.time(), "sent", one.method, one.client, send=seconds, call=key[1]))

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
        for key in [key for key in self._responses if key[0] is session]:
            del self._responses[key]
        self._happened("gone", session)

    def _happened(self, what: str, session: SessionView, text: str = "") -> None:
        self._log.add(Entry(time.time(), "client", what, session.client_id, text=text))

    # What it says ---------------------------------------------------------------

    def log(self, begin: int | None) -> dict[str, Value]:
        """The log since `begin`; see Tail.since. JSON: `entries` (without values that are 0 or empty), `end`,
        `left_out`."""
        piece: Piece[Entry | Arrived | Done] = self._log.since(begin, MAX_GIVEN)
        entries = [{key: value for key, value in _entry(one)._asdict().items() if value} for one in piece.entries]
        return {"entries": entries, "end": piece.end, "left_out": piece.left_out}

    def overview(self) -> dict[str, Value]:
        """The current state; JSON. Of each kind a list, and under `all` the total numbers."""
        topics = dict(self._hub.subscriptions.topics)
        connected = list(self._hub.connected)
        shown = connected
        if len(connected) > MAX_CLIENTS:  # those who wait for most
            shown = heapq.nlargest(MAX_CLIENTS, connected, key=lambda session: session.queue.waiting)
        under_way, responses = self._under_way.copy(), self._responses.copy()
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
            "running": [_running(*one) for one in islice(under_way.items(), MAX_RUNNING)],
            "sending": [_sending(key[1], one) for key, one in islice(responses.items(), MAX_RUNNING)],
            "all": {
                "clients": len(connected),
                "topics": len(topics),
                "subscriptions": subscriptions,
                "running": len(under_way),
                "sending": len(responses),
            },
        }

    def _client(self, session: SessionView, lags: list[float]) -> dict[str, Value]:
        """One client; `lags` are those of its subscriptions, as far as they are included."""
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
        before, self._filters = self._filters, {}  # filters may be long, and do not change
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


def _entry(one: Entry | Arrived | Done) -> Entry:
    if isinstance(one, Entry):
        return one
    if len(one) == 3:
        return _arrived(*one)
    ended, method, client, status, wait, run, call = one
    return Entry(ended, "done", method, client, text=status, wait=wait, run=run, call=call)


def _arrived(arrived: float, request: Request, client: str) -> Entry:
    """The entry of a call, or a system message, that has arrived."""
    system = request.id.startswith("system")  # hello contains the secret
    given = [*request.args[:SHOWN], *([request.kwargs] if request.kwargs else [])]
    text = "" if system else ", ".join(map(line, given))[:MAX_FILTER]
    size = weight(request.args) + weight(request.kwargs)
    return Entry(arrived, "call", request.method[:MAX_NAME], client, size, text=text)


def _running(call: Call, begun: float) -> dict[str, Value]:
    return {
        "method": call.method,
        "client": call.client.id,
        "wait": wait_of(call, begun),
        "run": time.monotonic() - begun,
    }


def _sending(id_: str, one: Response) -> dict[str, Value]:
    return {"method": one.method, "client": one.client, "call": id_, "send": time.monotonic() - one.began}
