"""Sessions that move between workers. Each receives everything that is published for it exactly once (RES-12).

A move is a record. The worker that holds the session delivers what precedes that record in the log, and the new worker
delivers what follows it. A worker delivers its own publications to its clients at once, whenever the log has them.
Which of them a session has received is known by their numbers, and moves with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any

import msgspec

from wslink.cluster import records as kinds
from wslink.cluster.membership import known as known_of
from wslink.cluster.peers import Peers
from wslink.cluster.publications import RESTART, Publications
from wslink.cluster.records import Draft, Record
from wslink.cluster.sending import Sending
from wslink.cluster.versions import Versions
from wslink.hub.hub import Hub
from wslink.session.identity import Identity, Opening
from wslink.session.moving import Moving, Packed, unpack
from wslink.session.nowhere import Nowhere
from wslink.session.session import Session
from wslink.session.state import DETACHED, OPEN
from wslink.session.tokens import digest
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

PATIENCE = 2.0
"""Seconds that a client which returns waits for its session, which another worker may have or none."""
ANSWERS = 1.0
"""Seconds from what a worker says first in which the others have answered: before, it does not count as alone."""
ON_ITS_WAY = 5.0
"""Seconds that a worker waits for a session that another one gives it."""
MAX_ARRIVALS = 8192
"""Sessions that may be on their way to a worker at a time; clients that ask for more begin anew."""
BATCH, PACE = 64, 0.02
"""Sessions that a worker which stops gives away at once, and seconds between these."""
RECOVERY = 5.0
"""Seconds after a loss of records in which sessions do not move: newest values may be on their way again."""
TRIES = 1_000
"""Turns of the event loop in which other threads have to hand over what they publish."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any])

Act = Callable[[], None]
Skip = tuple[str, int]
"""A worker, and the number up to which a session has had its records."""


class Arrival:
    """A session that is to move to this worker.

    Attributes:
        keys: the digests of its tokens.
        begun: whether its move was read, so that the records that follow are for it.
        records: the publications since then.
        seen: the number of each worker's latest record that had been read then.
        onward: the worker that has requested it in the meantime, and for which later records are.
        broken: whether publications for it were lost.
        done: completes when it has arrived, or will not.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys: Sequence[bytes] = keys
        self.begun: bool = False
        self.records: list[Record] = []
        self.seen: dict[str, int] = {}
        self.onward: str = ""
        self.onward_seen: dict[str, int] = {}
        self.broken: bool = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.timer: asyncio.TimerHandle | None = None
        self._size = 0

    def take(self, record: Record, limit: int) -> None:
        if self.begun and not self.onward and not self.broken:
            self._size += len(record.payload) + 256
            self.records.append(record)
            if self._size > limit:
                self.broken = True
                self.records.clear()


class Moves:
    """The moves of one worker's sessions. Use it on the event loop's thread.

    Args:
        hub, host, peers: this worker's hub, this worker, and the others.
        publications, versions: deliver records, and tell how new they are.
    """

    def __init__(
        self,
        hub: Hub,
        host: Sending,
        peers: Peers,
        publications: Publications,
        versions: Versions,
    ) -> None:
        self._hub, self._host, self._peers = hub, host, peers
        self._publications, self._versions = publications, versions
        self._arrivals: dict[bytes, Arrival] = {}
        self._skips: dict[str, list[Skip]] = {}
        self._due: list[Act] = []
        self._left: asyncio.Event | None = None
        self._lost_at = -RECOVERY

    # Requesting and sending ------------------------------------------------------

    async def _wait(self, arrival: Arrival) -> None:
        await asyncio.wait({arrival.done}, timeout=PATIENCE)
        if not arrival.done.done():
            self._end(arrival)

    async def _wait_left(self, left: asyncio.Event) -> None:
        await left.wait()

    def recall(self, token: str) -> Awaitable[None] | None:
        """See hub.cluster.ClusterLink."""
        if self._left is not None:  # the client is sent elsewhere
            return self._wait_left(self._left)
        if not self._peers and monotonic() - self._host.heard_at > ANSWERS:
            return None
        key = digest(token)
        arrival = self._arrivals.get(key)
        if arrival is None:
            if len(self._arrivals) >= MAX_ARRIVALS:
                return None
            arrival = self._expect([key])
            self._host.put(Draft(kinds.MOVE, [self._host.origin, [key]]))
        return self._wait(arrival)

    async def leave(self, timeout: float) -> None:
        """Move all resumable sessions to another worker; those with running calls later."""
        self._left = asyncio.Event()
        self._host.put(Draft(kinds.LEAVING, []))
        began, offered = monotonic(), set[Moving]()
        while monotonic() - began < timeout:
            heir = next((name for name, peer in reversed(self._peers.items()) if not peer.leaving), "")
            left = [one for one in self._hub.connected if isinstance(one, Moving) and _can_move(one)]
            if not heir or not left:
                break
            late = monotonic() - began > timeout / 2
            ready = [one for one in left if one not in offered and (late or not one.busy)][:BATCH]
            offered.update(ready)
            for one in ready:
                self._host.put(Draft(kinds.MOVE, [heir, list[Value](one.digests)]))
            await asyncio.sleep(PACE)
        self._left.set()

    def _expect(self, keys: Sequence[bytes], timeout: float = 0) -> Arrival:
        arrival = Arrival(keys)
        self._arrivals.update(dict.fromkeys(keys, arrival))
        if timeout:
            arrival.timer = asyncio.get_running_loop().call_later(timeout, self._end, arrival)
        return arrival

    def _end(self, arrival: Arrival) -> None:
        """The session has arrived, or will not."""
        for key in arrival.keys:
            if self._arrivals.get(key) is arrival:
                del self._arrivals[key]
        if arrival.timer is not None:
            arrival.timer.cancel()
        if not arrival.done.done():
            arrival.done.set_result(None)

    def stop(self) -> None:
        """The worker has stopped, or is considered dead."""
        for arrival in list(self._arrivals.values()):
            self._end(arrival)
        self._skips.clear()
        self._due.clear()
        self._left = None

    # Records ------------------------------------------------------------------------

    def move(self, record: Record) -> None:
        """Another worker requests the session of one of these tokens."""
        to, keys = record.fields
        session = next((found for key in keys if (found := self._hub.tokens.holder(key)) is not None), None)
        arrival = next((self._arrivals[key] for key in keys if key in self._arrivals), None)
        if to == self._host.origin:
            if arrival is None:
                arrival = self._expect(keys, ON_ITS_WAY)
            if not arrival.begun:  # otherwise it was requested twice: the first request counts
                arrival.begun, arrival.seen = True, self._seen
            if session is not None:
                self._end(arrival)
        elif isinstance(session, Moving):
            self._due.append(partial(self._give, session, to, keys, self._seen))
        elif arrival is not None and arrival.begun and not arrival.onward:
            arrival.onward, arrival.onward_seen = to, self._seen

    def moved(self, record: Record) -> None:
        """A session was moved."""
        to, keys, known = record.fields
        if to != self._host.origin:
            if known is not None and to in self._peers:
                self._peers.come(to, known)
            return
        arrival = next((self._arrivals[key] for key in keys if key in self._arrivals), None)
        if known is not None and arrival is not None and arrival.begun and not arrival.broken:
            self._due.append(partial(self._install, arrival, known, bytes(record.payload)))
            return
        if arrival is not None:
            self._end(arrival)
        if known is not None:
            _lose(self._hub, self._peers, self._host, known)

    @property
    def due(self) -> bool:
        """Whether `settle` has to be awaited before the next record is handled."""
        return bool(self._due)

    async def settle(self) -> None:
        """Let sessions leave and arrive, at a moment when no local publication is still on its way to them."""
        tries = 0
        while self._due:
            await asyncio.sleep(0)
            self._hub.submit(lambda: None)  # lets go of what a running call holds back
            tries += 1
            with self._host.moment(tries > TRIES) as quiet:
                due, self._due = (self._due, []) if quiet else ([], self._due)
                for act in due:
                    _run(act)

    def take(self, record: Record) -> None:
        """A publication was read, this worker's or another's."""
        for arrival in set(self._arrivals.values()):
            arrival.take(record, self._hub.limits.max_resume)

    def passed(self, worker: str, number: int) -> None:
        """A record of a worker was read: what is known about those before it is not needed any more."""
        for id_, skips in list(self._skips.items()):
            self._skips[id_] = [skip for skip in skips if skip[0] != worker or skip[1] > number]
            if not self._skips[id_]:
                del self._skips[id_]

    def had(self, record: Record) -> tuple[str, ...]:
        """The clients that received a publication elsewhere."""
        return tuple(id_ for id_, skips in self._skips.items() if _covers(skips, record))

    def lost(self) -> None:
        """Records were lost: sessions that are moving are abandoned."""
        self._lost_at = monotonic()
        for arrival in set(self._arrivals.values()):
            arrival.broken = True

    @property
    def _seen(self) -> dict[str, int]:
        return {self._host.origin: self._host.latest, **{name: peer.number for name, peer in self._peers.items()}}

    # Leaving and arriving ---------------------------------------------------------------

    def _give(self, session: Moving, to: str, keys: Sequence[bytes], seen: dict[str, int]) -> None:
        client = self._hub.community.get(session.client_id)
        if client is None:
            self._host.put(Draft(kinds.MOVED, [to, list[Value](keys), None]))
            return
        known, requests, id_ = known_of(client), self._hub.subscriptions.requests(session), client.id
        portable = dict(client.attributes) == known[4] and monotonic() - self._lost_at > RECOVERY
        packed = session.pack_up() if portable else None
        if packed is None:
            self._host.put(Draft(kinds.MOVED, [to, list[Value](keys), None]))
            if portable or self._left is not None:
                session.close(RESTART, "the session cannot move")
            return
        skips = [*self._skips.pop(id_, ()), (self._host.origin, self._host.position)]
        state = _encoder.encode({"session": packed, "requests": requests, "skips": skips, "seen": seen})
        self._host.put(Draft(kinds.MOVED, [to, list[Value](keys), known], [state]))
        self._hub.community.release(client)
        if to in self._peers:
            self._peers.come(to, known)
        logger.info("the session of client %s moves to worker %s", id_, to, extra=client.log)
        session.vacate()

    def _install(self, arrival: Arrival, known: list[Any], state: bytes) -> None:
        try:
            self._admit(arrival, known, state)
        except Exception as error:  # of another version, or damaged
            logger.error("client %s begins anew: its session cannot be read: %r", str(known[0])[:80], error)
            _lose(self._hub, self._peers, self._host, known)
        finally:
            self._end(arrival)

    def _admit(self, arrival: Arrival, known: list[Any], state: bytes) -> None:
        given = _decoder.decode(state)
        seen = given["seen"]
        if any(seen.get(worker, number) < number for worker, number in arrival.seen.items()):
            logger.warning("client %s begins anew: the worker that it comes from has missed records", known[0])
            _lose(self._hub, self._peers, self._host, known)
            return
        packed, skips = unpack(given["session"]), [(str(worker), int(last)) for worker, last in given["skips"]]
        session = _come(self._hub, self._peers, known)
        try:
            announce = self._revive(session, known, packed, given["requests"], skips)
            if not announce:
                return
            for record in (*arrival.records, *(() if arrival.onward else self._host.unread())):
                self._replay(record, session.client_id)
            announce()
        except Exception:
            session.close(RESTART, "the session cannot go on here")
            session.closed(True)
            raise
        if arrival.onward:
            self._give(session, arrival.onward, arrival.keys, arrival.onward_seen)

    def _revive(
        self, session: Session, known: list[Any], packed: Packed, requests: list[Any], skips: list[Skip]
    ) -> Callable[[], None] | None:
        """Restore a session that another worker has sent. Returns what to do once it has received what was published in
        the meantime."""
        hub, (id_, user, _, connected_at, attributes, _) = self._hub, known
        session.move_in(packed, Identity(user, attributes))
        client = hub.community.get(id_)
        if client is None or session.state is not DETACHED:
            return None
        client.connected_at = connected_at
        announce = hub.subscriptions.restore(session, requests)
        self._skips[id_] = [skip for skip in skips if skip[0] != self._host.origin]
        session.unload(packed)
        return announce

    def _replay(self, record: Record, id_: str) -> None:
        """Deliver a publication to one client only."""
        if id_ in self._hub.sessions and not _covers(self._skips.get(id_, ()), record):
            self._publications.deliver_to(record, id_, self._versions)


def _lose(hub: Hub, peers: Peers, host: Sending, known: list[Any]) -> None:
    """A session arrived that nobody waits for any more, or that cannot be decoded: its client has gone."""
    id_, groups, community = str(known[0]), known[5], hub.community
    gone = community.remote.get(id_)
    if gone is not None:
        for group in groups:
            community.tell(gone, group, False)
    peers.arrive(id_)
    community.groups.leave_all(id_)
    host.put(Draft(kinds.GONE, [id_]))


def _come(hub: Hub, peers: Peers, known: list[Any]) -> Session:
    """A session for a client that comes."""
    id_, _, address, _, _, groups = known
    for group in groups:
        hub.community.groups.join(id_, group)
    peers.arrive(id_)
    return Session(hub, Nowhere(), Opening(address=address), client_id=id_, hello_timeout=False)


def _run(act: Act) -> None:
    try:
        act()
    except Exception:
        logger.exception("a session could not be moved")


def _covers(skips: Iterable[Skip], record: Record) -> bool:
    return any(worker == record.origin and record.number <= last for worker, last in skips)


def _can_move(session: Moving) -> bool:
    return session.resumption is not None and session.state in (OPEN, DETACHED)
